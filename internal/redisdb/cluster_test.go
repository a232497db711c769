package redisdb_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/storetest"
)

// The tests of this room again, on a cluster: its keys are spread over three
// servers, and what one step touches has to be on one.
func TestSuiteOnCluster(t *testing.T) {
	t.Parallel()
	if os.Getenv(storetest.ClusterVariable) != "" {
		return // this is it
	}
	cluster := storetest.RedisCluster(t, 3, false)
	suite := exec.CommandContext(t.Context(), os.Args[0], "-test.parallel=1", "-test.short",
		"-test.skip=^(TestSuiteOnCluster|TestDeadlinesHold)$")
	suite.Env = append(os.Environ(), storetest.ClusterVariable+"="+cluster.URL)
	if out, err := suite.CombinedOutput(); err != nil {
		t.Errorf("on a cluster: %v\n%s", err, out)
	}
}

// Whoever died between burying an entry and acknowledging it, finds it buried.
// On one server both are one step.
func TestBuryGoesOnWhereItBrokeOff(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	if _, apart := plain.(*redis.ClusterClient); !apart {
		return // TestSuiteOnCluster comes back to it
	}
	if err := db.Append(t.Context(), entries(0, 2)); err != nil {
		t.Fatal(err)
	}
	c := db.NewConsumer(lane, "me")
	var refused []event.Refused
	for _, e := range read(t, c, 2) {
		refused = append(refused, event.Refused{Entry: e, Reason: "no fact"})
	}
	const burying = "{busu:dead}:burying:busu:completions:{0}"
	if err := plain.HSet(t.Context(), burying, refused[0].ID, "").Err(); err != nil { // as if it had been buried
		t.Fatal(err)
	}
	if err := c.Bury(t.Context(), refused); err != nil {
		t.Fatal(err)
	}
	if letters, err := db.DeadLetters(t.Context(), "", 10); err != nil || len(letters) != 1 || letters[0].Entry != refused[1].ID {
		t.Errorf("dead letters: %+v, %v", letters, err)
	}
	if pending := plain.XPending(t.Context(), "busu:completions:{0}", "persist").Val(); pending.Count != 0 {
		t.Errorf("%d entries are not acknowledged", pending.Count)
	}
	if left := plain.Exists(t.Context(), burying).Val(); left != 0 {
		t.Error("what is done is remembered")
	}
}
