package deploy_test

import (
	"os"
	"strings"
	"testing"

	strict "sigs.k8s.io/yaml"
)

// The workflow runs what is run here, and keeps the pictures where make
// screenshots leaves them: in a hidden folder, which uploads leave out unless
// they are told.
func TestWorkflowKeepsThePictures(t *testing.T) {
	t.Parallel()
	read := func(file string) string {
		text, err := os.ReadFile("../" + file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct {
				Uses, Run, If string
				With          map[string]any
			}
		}
	}
	if err := strict.Unmarshal([]byte(read(".github/workflows/ci.yml")), &workflow); err != nil {
		t.Fatal(err)
	}
	ran, kept := "", ""
	for _, step := range workflow.Jobs["ci"].Steps {
		ran += step.Run + "\n"
		if path, ok := step.With["path"].(string); ok && strings.HasPrefix(step.Uses, "actions/upload-artifact@") && step.With["include-hidden-files"] == true && step.If != "" {
			kept = path
		}
	}
	for _, command := range []string{".ci/run\n", "make screenshots\n"} {
		if !strings.Contains(ran, command) {
			t.Errorf("the workflow does not run %q", command)
		}
	}
	if kept == "" || !strings.Contains(read("Makefile"), "-pictures ../../"+kept+"\n") {
		t.Errorf("the workflow keeps %q, where make screenshots leaves nothing", kept)
	}
}
