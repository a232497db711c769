package answers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/busuhq/busu/bench/product"
	"github.com/busuhq/busu/internal/localstack"
)

// gateway is a process of busu's.
type gateway struct {
	caller
	*product.Process
	dir     string
	profile string // where a profile goes; "" where none is wanted

	database, redis string // its stores
}

// settings of a run of the gateway, as lines of busu.yaml.
type settings struct {
	providers, models string
	cache             string
}

// config is a busu.yaml with everything on that there is, and a provider that
// bears whatever is asked of it.
func (s settings) config(u *upstream) string {
	return fmt.Sprintf(`providers:
  - {name: bench, kind: openai, base_url: "http://%s%s", max_concurrency: 4096}
%smodels:
  - {id: small, provider: bench, tier: simple, input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.6}
  - {id: large, provider: bench, tier: complex, input_usd_per_mtok: 2.5, output_usd_per_mtok: 10}
%srouting: {strategy: complexity, baseline_model: large}
%s`, u.addr, answering, s.providers, s.models, s.cache)
}

// startUp starts busu up on stores of its own.
func (b *bench) startUp(ctx context.Context, u *upstream, s settings) (*gateway, error) {
	return b.start(ctx, u, s, nil, "busu", "up")
}

// startBeside starts an API beside a gateway, on the same stores.
func (b *bench) startBeside(ctx context.Context, u *upstream, s settings, g *gateway) (*gateway, error) {
	return b.start(ctx, u, s, []string{"DATABASE_URL=" + g.database, "REDIS_URL=" + g.redis}, "api")
}

func (b *bench) start(ctx context.Context, u *upstream, s settings, env []string, command ...string) (_ *gateway, err error) {
	dir, err := os.MkdirTemp(b.dir, "state-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL may run as somebody else, who has to pass
		return nil, err
	}
	file := filepath.Join(dir, "busu.yaml")
	if err := os.WriteFile(file, []byte(s.config(u)), 0o600); err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	g := &gateway{caller: caller{addr: addr}, dir: dir}
	env = append(env, "BUSU_ADDR="+addr, "BUSU_CONFIG="+file, "BUSU_STATE_DIR="+filepath.Join(dir, "state"), "BUSU_ADMIN_KEY="+benchKey)
	if b.options.Profiles != "" {
		g.profile = filepath.Join(dir, "profile")
		env = append(env, product.ProfileTo+"="+g.profile)
	}
	cmd := exec.Command(filepath.Join(b.dir, command[0]), command[1:]...)
	cmd.Env = append(os.Environ(), env...)
	if g.Process, err = product.Start(ctx, cmd, "http://"+addr, filepath.Join(dir, "log")); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	said, err := g.Said()
	if err != nil {
		return nil, errors.Join(err, g.stop())
	}
	g.database, g.redis = string(databaseURL.Find(said)), string(redisURL.Find(said))
	return g, nil
}

// profiled takes a profile of a gateway during work, where one is wanted.
func (b *bench) profiled(g *gateway, name string, work func() error) error {
	if g.profile == "" {
		return work()
	}
	return g.Profiled(g.profile, filepath.Join(b.options.Profiles, name+".pprof"), work)
}

// What the welcome says of the stores.
var (
	databaseURL = regexp.MustCompile(`postgres://[^"\s]+`)
	redisURL    = regexp.MustCompile(`redis://[^"\s]+`)
)

// complaint is the end of the log, for words.
func (g *gateway) complaint() error {
	said, err := g.Said()
	if err != nil {
		return err
	}
	const most = 1000
	return fmt.Errorf("its log ends with: %s", said[max(0, len(said)-most):])
}

// stop ends the process and removes its files.
func (g *gateway) stop() error {
	g.close()
	return errors.Join(g.Stop(), os.RemoveAll(g.dir))
}

// metric reads one value of /metrics, labels and all.
func (g *gateway) metric(name string) (value float64, err error) {
	err = g.send(request("GET", "/metrics", ""), func(r *http.Response) error {
		body, err := good(r)
		if err != nil {
			return err
		}
		lines := bufio.NewScanner(strings.NewReader(string(body)))
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
				value, err = strconv.ParseFloat(text, 64)
				return err
			}
		}
		return fmt.Errorf("there is no metric %s", name)
	})
	return value, err
}

func freeAddr() (string, error) {
	addr, err := localstack.FreeAddr()
	return addr.String(), err
}
