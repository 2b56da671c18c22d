package lab

import (
	"os"
	"path/filepath"
	"strings"
)

// stockFiles are those of Debian's package by which programs reach Asterisk.
var stockFiles = []string{"manager.conf", "manager.d/README.conf", "http.conf", "ari.conf", "cdr.conf", "cdr_manager.conf"}

// restock puts Debian's files in the place of the lab's. The address is changed: several labs share this machine.
func (l *Lab) restock() error {
	for _, name := range stockFiles {
		text, err := os.ReadFile(filepath.Join("/", l.installation.chroot, "etc/asterisk", name))
		if err != nil {
			return err
		}
		if l.installation.chroot == "" {
			l.log.Warn("lab takes the files of this host for stock ones", "file", name)
		}
		changed := strings.NewReplacer("bindaddr = 127.0.0.1", "bindaddr = "+l.IP, "bindaddr=127.0.0.1", "bindaddr="+l.IP).Replace(string(text))
		to := filepath.Join(l.EtcDir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, []byte(changed), 0o640); err != nil {
			return err
		}
	}
	return nil
}
