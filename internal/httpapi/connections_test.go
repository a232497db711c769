package httpapi_test

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"

	"github.com/busuhq/busu/internal/httpapi"
)

// TestConnectionsAreBounded: above the bound callers wait, one comes in for each
// that leaves, and one that is closed twice leaves once.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := pipes{make(chan net.Conn), make(chan struct{})}
		l := httpapi.Bound(network, 2)
		taken := make(chan net.Conn, 4)
		ended := make(chan error, 1)
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					ended <- err
					return
				}
				taken <- conn
			}
		}()
		for range 4 {
			go func() {
				if _, err := network.dial(t.Context(), "", ""); err != nil {
					t.Log("a caller is not connected:", err) // the last, when all has ended
				}
			}()
		}
		is := func(want int) {
			t.Helper()
			synctest.Wait()
			if len(taken) != want || l.Open() != 2 || l.Most() != 2 {
				t.Fatalf("%d were taken, of whom %d are there; want %d", len(taken), l.Open(), want)
			}
		}
		is(2)
		first := <-taken
		_, _ = first.Close(), first.Close()
		is(2) // one that was there, and one that came
		second := <-taken
		_ = second.Close()
		is(2)
		if err := errors.Join(l.Close(), l.Close()); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("who waits for room learns %v", err)
		}
	})
}
