package localstack

import (
	"time"

	"github.com/alicebob/miniredis/v2"
)

// inMemoryRedis stands in for a Redis server within this process. It keeps
// nothing, reports wrong consumer lags and is slower: good for a first look.
type inMemoryRedis struct {
	server *miniredis.Miniredis
	stop   chan struct{}
	done   chan struct{}
}

func startInMemoryRedis(password string) (*inMemoryRedis, error) {
	port, err := choosePort(redisPort)
	if err != nil {
		return nil, err
	}
	r := &inMemoryRedis{server: miniredis.NewMiniRedis(), stop: make(chan struct{}), done: make(chan struct{})}
	r.server.RequireAuth(password)
	if err := r.server.StartAddr(address(port)); err != nil {
		return nil, err
	}
	go r.passTime()
	return r, nil
}

// passTime lets keys expire: the stand-in has no clock of its own.
func (r *inMemoryRedis) passTime() {
	defer close(r.done)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-r.stop:
			return
		case now := <-tick.C:
			r.server.FastForward(now.Sub(last))
			last = now
		}
	}
}

func (r *inMemoryRedis) addr() string { return r.server.Addr() }

// close may be called twice.
func (r *inMemoryRedis) close() {
	select {
	case <-r.stop:
		return
	default:
	}
	close(r.stop)
	<-r.done
	r.server.Close()
}
