package bridge_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/internal/etc"
	"github.com/dialbridge/dialbridge/lab"
)

// oddFiles are files whose comments are easily misread. "odd.d/*" is included where a text says so.
var oddFiles = []string{
	"[a]\nx=1 ; one\ny=2\\;3 ; two\n;--\nz=3\n--;\nw=4\n",
	"[a]\n;---\nx=1\n;--- y ---;\ny=2\n",
	"[a]\nx=1 ;-- in --; 2\ny=3\n",
	"[a]\n;-- one\n;-- two\nx=1\n--;\ny=2\n--;\nz=3\n",
	"[a]\n;-- one ;-- two --; still --; x=1\ny=2\n",
	"[a]\n;-- open\nx=1\n[b]\ny=2\n",
	"[a]\n;-- a ; b --;\nx=1\n",
	"[a]\n;--;\nx=1\n--;\ny=2\n",
	"[a]\n;----;\nx=1\n",
	"[a]\nx=1 --;\ny=2\n;--\nz=3\n--;\nv=4\n",
	"[a]\nx=1 --; b ; c\ny=2\n;--\nz=3\n",
	"[a]\nx=\\;-- 1\ny=2\n",
	"[a]\n#include \"odd.d/*\"\nlast=1\n",
	"[a]\n;--\n#include \"odd.d/*\"\n--;\nlast=1\n",
}

// TestAsterisksCommentsAreReadAsItDoes compares what Asterisk says is in a file with what is read of it here, before `check --fix` adds to it.
func TestAsterisksCommentsAreReadAsItDoes(t *testing.T) {
	forBoth(t, func(t *testing.T, version string) {
		b := &bench{T: t, ctx: t.Context(), lab: lab.ForTest(t, version, lab.Options{})}
		m := b.manager()
		for name, text := range map[string]string{
			"1.conf": "one=1\n;-- goes on in the next file\n", "2.conf": "two=2\n--; three=3\nfour=4\n;--\n", "3.conf": "five=5\n",
			".hidden": "hidden=1\n", "4": "--;\nsix=6\n;--\n",
		} {
			b.must(os.MkdirAll(filepath.Join(b.lab.EtcDir, "odd.d"), 0o755))
			b.must(os.WriteFile(filepath.Join(b.lab.EtcDir, "odd.d", name), []byte(text), 0o644))
		}
		for i, text := range oddFiles {
			name := fmt.Sprintf("odd%d.conf", i)
			b.must(os.WriteFile(filepath.Join(b.lab.EtcDir, name), []byte(text), 0o644))
			answer, err := m.Do(b.ctx, ami.NewAction("GetConfig", "Filename", name))
			b.must(err)
			var want []string
			for name, value := range answer.All() {
				if strings.HasPrefix(name, "Line-") {
					want = append(want, value)
				}
			}
			tree, err := etc.Read(b.lab.EtcDir, name)
			b.must(err)
			var got []string
			for _, e := range tree.Entries {
				got = append(got, e.Name+"="+e.Value)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%q (-asterisk +here):\n%s", text, diff)
			}
		}
	})
}
