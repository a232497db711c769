package redisdb

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// address is what a URL says, with one host in its place and the others apart.
//
//	redis://user:password@host:port/0                     one server
//	redis://user:password@a:6379,b:6379                   a cluster, of which these are some
//	redis+cluster://user:password@host:port               a cluster that one name stands for
//	redis+sentinel://user:password@a:26379,b/name/0       what these Sentinels name
//
// rediss is the same over TLS; ?sslrootcert=/path names a file of authorities to
// trust, sslcert and sslkey what servers ask clients for, in the words that
// PostgreSQL's addresses have for it. ?addr=host:port adds a host, as it does for
// the client library.
type address struct {
	kind   kind
	first  *url.URL
	others []string // host:port each
	files  tlsFiles
}

// kind is how many servers there are, and who says which one is asked.
type kind int

const (
	single kind = iota
	cluster
	sentinel
)

var errNoAddress = errors.New("it is no address of Redis: write it like redis://user:password@host:port/0")

// parseAddress gives errors without the URL, which may hold a password.
func parseAddress(raw string) (a address, err error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	scheme, suffix, _ := strings.Cut(scheme, "+")
	switch suffix {
	case "cluster":
		a.kind = cluster
	case "sentinel":
		a.kind = sentinel
	case "":
	default:
		ok = false
	}
	if !ok || scheme != "redis" && scheme != "rediss" {
		return a, errNoAddress
	}
	hosts, path, user := rest, "", ""
	if i := strings.IndexAny(hosts, "/?"); i >= 0 {
		hosts, path = hosts[:i], hosts[i:]
	}
	if i := strings.LastIndexByte(hosts, '@'); i >= 0 {
		user, hosts = hosts[:i+1], hosts[i+1:]
	}
	names := strings.Split(hosts, ",")
	for _, name := range names[1:] {
		a.others = append(a.others, a.withPort(name))
	}
	if a.first, err = url.Parse(scheme + "://" + user + a.withPort(names[0]) + path); err != nil {
		return a, errNoAddress
	}
	if a.files, err = takeFiles(a.first); err != nil {
		return a, err
	}
	if a.kind == single && (len(names) > 1 || a.first.Query().Has("addr")) {
		a.kind = cluster
	}
	return a, nil
}

// withPort adds the port where none is named.
func (a address) withPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	port := "6379"
	if a.kind == sentinel {
		port = "26379"
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port)
}

// library is the URL in the client library's own form, with changed parameters.
func (a address) library(change func(url.Values)) string {
	u, q := *a.first, a.first.Query()
	for _, host := range a.others {
		q.Add("addr", host)
	}
	if change != nil {
		change(q)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func (a address) single() (*redis.Options, error) {
	o, err := redis.ParseURL(a.library(nil))
	if err == nil {
		err = a.files.into(o.TLSConfig)
	}
	return o, err
}

// cluster lets each node show the certificate of its own name.
func (a address) cluster() (*redis.ClusterOptions, error) {
	if db := strings.Trim(a.first.Path, "/"); db != "" && db != "0" {
		return nil, errors.New("a cluster has database 0 only: leave the path away")
	}
	o, err := redis.ParseClusterURL(a.library(func(q url.Values) { q.Del("skip_verify") }))
	if err == nil && o.TLSConfig != nil {
		o.TLSConfig.ServerName = ""
		o.TLSConfig.InsecureSkipVerify, err = strconv.ParseBool(cmp.Or(a.first.Query().Get("skip_verify"), "false"))
	}
	if err == nil {
		err = a.files.into(o.TLSConfig)
	}
	return o, err
}

// sentinel reads /name and /name/database. User and password of the URL are
// those of the servers, as everywhere; the Sentinels may have theirs in
// sentinel_username and sentinel_password.
func (a address) sentinel() (*redis.FailoverOptions, error) {
	name, db, _ := strings.Cut(strings.Trim(a.first.Path, "/"), "/")
	if name == "" {
		return nil, errors.New("it does not say which master the Sentinels watch: write redis+sentinel://host:26379/mymaster")
	}
	servers, q := a.first.User, a.first.Query()
	first := *a.first
	first.Path, first.User = "/"+cmp.Or(db, "0"), url.UserPassword(q.Get("sentinel_username"), q.Get("sentinel_password"))
	a.first = &first
	o, err := redis.ParseFailoverURL(a.library(func(q url.Values) {
		q.Del("sentinel_username")
		q.Del("sentinel_password")
		q.Set("master_name", name)
		password, _ := servers.Password()
		q.Set("username", servers.Username())
		q.Set("password", password)
	}))
	if err == nil && o.TLSConfig != nil {
		o.TLSConfig.ServerName = ""
	}
	if err == nil {
		err = a.files.into(o.TLSConfig)
	}
	return o, err
}

// hidden keeps what the client library says of a parameter, and not the address.
func hidden(err error) error {
	var quoted *url.Error
	if errors.As(err, &quoted) {
		err = errNoAddress
	}
	return fmt.Errorf("open redis: %w", err)
}
