package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/busuhq/busu/e2e/chrome"
)

// documents is where the pictures are that documents show: every page with
// data in three looks, and in every other state in one. They are kept small.
const documents = "../../docs/screenshots"

func inDocuments(state, look string) bool {
	return state == "data" && look != "dark-narrow" || look == "light"
}

// takePictures keeps how the page looks: wide and narrow, light and dark.
func (v *visit) takePictures(t *testing.T, s state) {
	if *pictures == "" {
		return
	}
	t.Helper()
	darkNarrow := narrow
	darkNarrow.Dark = true
	for name, look := range map[string]chrome.View{"light": wide, "dark": dark, "light-narrow": narrow, "dark-narrow": darkNarrow} {
		v.takePicture(t, look, filepath.Join(*pictures, v.page.name+"-"+s.name+"-"+name+".png"), "png")
		if inDocuments(s.name, name) {
			v.takePicture(t, look, filepath.Join(documents, strings.TrimSuffix(v.page.name+"-"+s.name, "-data")+"-"+name+".webp"), "webp")
		}
	}
}

func (v *visit) takePicture(t *testing.T, look chrome.View, file, format string) {
	t.Helper()
	ctx := soon(t)
	if err := v.Look(ctx, look); err != nil {
		t.Fatal(err)
	}
	if err := v.Eval(ctx, `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))))`, nil); err != nil {
		t.Fatal(err)
	}
	image, err := v.Picture(ctx, format, 85)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o755)
	}
	if err == nil {
		err = os.WriteFile(file, image, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
