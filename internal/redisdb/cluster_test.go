package redisdb_test

import (
	"os"
	"os/exec"
	"testing"

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
