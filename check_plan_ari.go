package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/dialbridge/dialbridge/internal/etc"
)

const ownARI = "http://127.0.0.1:8088/ari"

// planARI sees to a user of the REST interface, and to a server of HTTP that is on.
func (f *fixer) planARI() error {
	t, err := f.tree("ari.conf")
	if t == nil || err != nil {
		return err
	}
	u, err := url.Parse(string(f.cfg.ARI.URL))
	if err != nil {
		return err
	}
	if _, ok := f.near("[ari] url", u.Host); !ok {
		return nil
	}
	name, path := f.cfg.ARI.Username, filepath.Join(f.o.etc, ariFile)
	if name == "" {
		name = ownName
	}
	mine, secret, err := f.ours(path, "password")
	if err != nil || !mine {
		return err
	}
	if s, there := t.Find(name); there && s.File != path {
		if f.cfg.ARI.Username == "" {
			f.left("%s:%d has a user [%s] that was not made here: set [ari] username and password of %s to it", s.File, s.Line, name, f.o.file)
		}
		return f.planHTTP()
	}
	if !f.writable("ari.conf", t, name) {
		return nil
	}
	hidden := randomSecret
	switch {
	case f.cfg.ARI.Password != "":
		secret, hidden = string(f.cfg.ARI.Password), ownSecret
	case secret == "":
		secret = rand.Text()
	}
	closed := ariClosed(t, path)
	if ok, err := f.own("ari", name, t, ariFile, ariText(name, secret, closed), ariText(name, hidden, closed), "module reload res_ari.so"); err != nil || !ok {
		return err
	}
	f.pair("ari", "ari", "username", name, f.cfg.ARI.Username, false)
	f.pair("ari", "ari", "password", secret, string(f.cfg.ARI.Password), true)
	return f.planHTTP()
}

// ariClosed reports whether ari.conf switches the interface off, but for what an own file says.
func ariClosed(t *etc.Tree, own string) bool {
	value := ""
	for _, e := range t.Entries {
		if strings.EqualFold(e.Section, "general") && strings.EqualFold(e.Name, "enabled") && e.File != own {
			value = e.Value
		}
	}
	return value != "" && !etc.True(value) // it is on by default
}

func ariText(name, password string, closed bool) string {
	lines := []string{madeBy, ";     asterisk -rx 'module reload res_ari.so'"}
	if closed {
		lines = append(lines, "[general](+)", "enabled = yes")
	}
	lines = append(lines, "", "["+name+"]", "type = user", "read_only = no", "password = "+password, "password_format = plain")
	return strings.Join(lines, "\n") + "\n"
}

// planHTTP switches Asterisk's server of HTTP on, for this machine alone where it was off.
func (f *fixer) planHTTP() error {
	t, err := f.tree("http.conf")
	if t == nil || err != nil {
		return err
	}
	lines := []string{"enabled = yes"}
	on := enabled(t)
	ip, err := netip.ParseAddr(t.Value("general", "bindaddr"))
	if !on && (err != nil || !ip.IsLoopback()) {
		lines = append(lines, "bindaddr = 127.0.0.1")
	}
	if string(f.cfg.ARI.URL) == ownARI {
		there := "http://" + listens(t, "bindport", "8088", !on) + "/" + strings.Trim(t.Value("general", "prefix")+"/ari", "/")
		f.pair("ari", "ari", "url", there, ownARI, false)
	}
	if on {
		return nil
	}
	path, section := t.Files[0], "general"
	if i, generated := t.Including(customFiles["http.conf"]); generated {
		path, section = filepath.Join(f.o.etc, customFiles["http.conf"]), ""
		if i.Section != "general" {
			section = "general"
		}
	}
	before := len(f.changes)
	ok, err := f.edit("ari", path, t.Files[0], lines, func(text string) string {
		for _, line := range lines {
			key, value, _ := strings.Cut(line, " = ")
			text = etc.Asterisk.Set(text, section, key, value)
		}
		return text
	}, "module reload http")
	if ok && err == nil {
		_, err = f.proved("http.conf", before, enabled)
	}
	return err
}

// enabled reports whether [general] says so.
func enabled(t *etc.Tree) bool { return etc.True(t.Value("general", "enabled")) }

// planRecords makes Asterisk send its call records.
func (f *fixer) planRecords() error {
	t, err := etc.Read(f.o.etc, "cdr_manager.conf")
	if errors.Is(err, fs.ErrNotExist) {
		return nil // records are composed, then
	}
	if err != nil || enabled(t) {
		return err
	}
	before := len(f.changes)
	ok, err := f.edit("cdr_manager", t.Files[0], t.Files[0], []string{"[general]", "enabled = yes"}, func(text string) string {
		return etc.Asterisk.Set(text, "general", "enabled", "yes")
	}, "module reload cdr_manager.so")
	if ok && err == nil {
		_, err = f.proved("cdr_manager.conf", before, enabled)
	}
	return err
}

// ownChange is api.conf with the keys that are to be set.
func (f *fixer) ownChange() (change, error) {
	owner, err := etc.OwnerOf(f.o.file)
	if err != nil {
		return change{}, err
	}
	was, err := os.ReadFile(f.o.file)
	if err != nil {
		return change{}, err
	}
	text := string(was)
	c := change{path: f.o.file, part: "api.conf", was: was, owner: f.tightened(owner)}
	if c.owner != owner {
		c.shown = append(c.shown, fmt.Sprintf("# and can no longer be read by everybody: %04o", c.owner.Mode))
	}
	section := ""
	for _, p := range f.pairs {
		if p.section != section {
			section = p.section
			c.shown = append(c.shown, "["+section+"]")
		}
		text = etc.Ours.Set(text, p.section, p.key, p.value)
		if p.secret {
			p.value = "(the same, not shown)"
		}
		c.shown = append(c.shown, p.key+" = "+p.value)
	}
	c.text = []byte(text)
	return c, nil
}

// tightened closes a file that is to hold secrets to everybody, and keeps it open to the daemon.
func (f *fixer) tightened(o etc.Owner) etc.Owner {
	if o.Mode&0o007 == 0 {
		return o
	}
	o.Mode &^= 0o007
	daemon := daemonAccount(f.o.file, f.cfg)
	if daemon.name != "" && daemon.uid != o.UID && !daemon.in(o.GID) {
		o.GID = daemon.gid
	}
	if daemon.name != "" && daemon.uid != o.UID {
		o.Mode |= 0o040
	}
	return o
}
