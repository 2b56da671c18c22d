package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dialbridge/dialbridge/internal/etc"
)

const (
	madeBy      = "; Made by `dialbridge check --fix`, which writes it again when something is missing. To undo: remove this file, then"
	ownName     = "dialbridge" // of the users that are made
	managerFile = "manager.d/dialbridge.conf"
	ariFile     = "ari.d/dialbridge.conf"
)

// What is shown in the place of a secret.
const (
	randomSecret = "(a random one, not shown)"
	ownSecret    = "(that of api.conf, not shown)"
)

// The classes of the manager user, by what check asks for.
const (
	readClasses  = "system,call,agent,user,dtmf,reporting,cdr,dialplan"
	writeClasses = "system,call,agent,user,config,command,reporting,originate"
)

// customFiles are the files in which FreePBX and Issabel leave room for a main file of Asterisk that they generate.
var customFiles = map[string]string{"manager.conf": "manager_custom.conf", "ari.conf": "ari_additional_custom.conf", "http.conf": "http_custom.conf"}

// plan finds out what is missing in the files. It changes nothing.
func (f *fixer) plan() error {
	if err := f.planManager(); err != nil {
		return err
	}
	if err := f.planARI(); err != nil {
		return err
	}
	return f.planRecords()
}

// tree reads a file of Asterisk; nil when there is none, which is told.
func (f *fixer) tree(name string) (*etc.Tree, error) {
	t, err := etc.Read(f.o.etc, name)
	if errors.Is(err, fs.ErrNotExist) {
		f.left("%s is not there: asterisk is not installed, or its configuration is elsewhere (--asterisk-etc)", filepath.Join(f.o.etc, name))
		return nil, nil
	}
	return t, err
}

// planManager sees to a manager user, and to a manager that is on.
func (f *fixer) planManager() error {
	t, err := f.tree("manager.conf")
	if t == nil || err != nil {
		return err
	}
	host, ok := f.near("[ami] address", f.cfg.AMI.Address)
	if !ok {
		return nil
	}
	name, path := f.cfg.AMI.Username, filepath.Join(f.o.etc, managerFile)
	if name == "" {
		name = ownName
	}
	mine, secret, err := f.ours(path, "secret")
	if err != nil || !mine {
		return err
	}
	if s, there := t.Find(name); there && s.File != path {
		f.others(t, s, name)
		return nil
	}
	if !f.writable("manager.conf", t, name) {
		return nil
	}
	hidden := randomSecret
	switch {
	case f.cfg.AMI.Secret != "":
		secret, hidden = string(f.cfg.AMI.Secret), ownSecret
	case secret == "":
		secret = rand.Text()
	}
	general := f.managerGeneral(t, path)
	text := managerText(name, secret, general, host)
	shown := managerText(name, hidden, general, host)
	if err := f.own("manager", t, managerFile, text, shown, "manager reload"); err != nil {
		return err
	}
	f.pair("manager", "ami", "username", name, f.cfg.AMI.Username, false)
	f.pair("manager", "ami", "secret", secret, string(f.cfg.AMI.Secret), true)
	if f.cfg.AMI.Address == "127.0.0.1:5038" {
		f.pair("manager", "ami", "address", listens(t, "port", "5038", has(general, "enabled = yes")), f.cfg.AMI.Address, false)
	}
	return nil
}

// near reports whether an address is this machine's, and what a connection from here to there comes from.
func (f *fixer) near(key, address string) (from string, ok bool) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ips, err := net.LookupIP(host) //nolint:noctx // a name of /etc/hosts, else it is not near
	if err != nil || len(ips) == 0 {
		f.left("%s %s cannot be looked up", key, address)
		return "", false
	}
	ip, _ := netip.AddrFromSlice(ips[0])
	ip = ip.Unmap()
	if ip.IsLoopback() || ip.IsUnspecified() {
		return "", true
	}
	own, err := net.InterfaceAddrs()
	for _, a := range own {
		if p, perr := netip.ParsePrefix(a.String()); err == nil && perr == nil && p.Addr() == ip {
			return ip.String(), true
		}
	}
	f.left("%s %s is another machine: run `dialbridge check --fix` there, or add the lines that check prints", key, address)
	return "", false
}

// ours tells whether a file may be written: it is not there, or was made here. It returns the secret in it.
func (f *fixer) ours(path, key string) (mine bool, secret string, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, "", nil
	}
	if err != nil {
		return false, "", err
	}
	if !strings.HasPrefix(string(text), madeBy) {
		f.left("%s was not made by `dialbridge check --fix`: move it away, or add the lines that check prints by hand", path)
		return false, "", nil
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, "="); ok && strings.TrimSpace(name) == key {
			secret = strings.TrimSpace(value)
		}
	}
	return true, secret, nil
}

// others tells what is to be done about a manager user that somebody else made.
func (f *fixer) others(t *etc.Tree, s etc.Section, name string) {
	switch secret := t.Value(name, "secret"); {
	case f.cfg.AMI.Username == "" || f.cfg.AMI.Secret == "":
		f.left("%s:%d has a user [%s] that was not made here: set [ami] username and secret of %s to it, or username to another name", s.File, s.Line, name, f.o.file)
	case secret != string(f.cfg.AMI.Secret):
		f.left("%s:%d has a user [%s] with another secret than [ami] secret of %s", s.File, s.Line, name, f.o.file)
	}
}

// writable reports whether an own file can be reached from a main file of Asterisk, and a secret in it be understood.
func (f *fixer) writable(main string, t *etc.Tree, name string) bool {
	switch {
	case t.Exec:
		f.left("a part of %s is made by a program (#exec): add the lines that check prints by hand", main)
	case !t.Has("general"):
		f.left("%s has no section [general]: add the lines that check prints by hand", filepath.Join(f.o.etc, main))
	case strings.ContainsAny(name+string(f.cfg.AMI.Secret)+string(f.cfg.ARI.Password), ";[]\\"):
		f.left("a name or secret of %s has a character that means something in %s: choose another one", f.o.file, main)
	default:
		return true
	}
	return false
}

// managerGeneral are the lines for [general] of manager.conf that are missing. One that was off is opened to this machine alone.
func (f *fixer) managerGeneral(t *etc.Tree, own string) (lines []string) {
	set := func(name string) (value string, byUs bool) {
		for _, e := range t.Entries {
			if e.Section == "general" && strings.EqualFold(e.Name, name) {
				value, byUs = e.Value, e.File == own
			}
		}
		return value, byUs
	}
	if value, byUs := set("enabled"); !etc.True(value) || byUs {
		lines = append(lines, "enabled = yes")
		if ip, err := netip.ParseAddr(t.Value("general", "bindaddr")); err != nil || !ip.IsLoopback() || byUs {
			lines = append(lines, "bindaddr = "+loopbackOf(ip))
		}
	}
	if value, byUs := set("timestampevents"); !etc.True(value) || byUs {
		lines = append(lines, "timestampevents = yes")
	}
	return lines
}

// loopbackOf is an address that is reached from this machine alone: the one that is given, where it is such.
func loopbackOf(ip netip.Addr) string {
	if ip.IsLoopback() {
		return ip.String()
	}
	return "127.0.0.1"
}

func managerText(name, secret string, general []string, from string) string {
	lines := []string{madeBy, ";     asterisk -rx 'manager reload'"}
	if len(general) > 0 {
		lines = append(append(lines, "[general](+)"), general...)
	}
	lines = append(lines, "", "["+name+"]", "secret = "+secret, "deny = 0.0.0.0/0.0.0.0", "permit = 127.0.0.1/255.255.255.255")
	if ip, err := netip.ParseAddr(from); err == nil && ip.Is4() {
		lines = append(lines, "permit = "+from+"/255.255.255.255")
	} else if err == nil {
		lines = append(lines, "permit = "+from+"/128")
	}
	lines = append(lines, "read = "+readClasses, "write = "+writeClasses, "writetimeout = 5000")
	return strings.Join(lines, "\n") + "\n"
}

// own plans a file of our own that holds a text, and the line by which Asterisk finds it.
func (f *fixer) own(part string, t *etc.Tree, name, text, shown string, reload ...string) error {
	main := t.Files[0]
	owner, err := asteriskOwner(main)
	if err != nil {
		return err
	}
	secret := owner
	secret.Mode &= 0o640
	c := change{path: filepath.Join(f.o.etc, name), part: part, text: []byte(text), owner: secret, shown: strings.Split(shown, "\n"), reload: reload}
	if c.was, err = os.ReadFile(c.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if string(c.was) != text {
		f.changes = append(f.changes, c)
	}
	if i, ok := t.Including(name); ok {
		if !has(i.Opened, "general") && strings.Contains(text, "(+)") {
			return fmt.Errorf("%s includes %s before its section [general]: move the line down", i.File, i.Pattern)
		}
		return nil
	}
	host := main
	if custom := customFiles[filepath.Base(main)]; custom != "" {
		if _, generated := t.Including(custom); generated {
			host = filepath.Join(f.o.etc, custom)
		}
	}
	return f.edit(part, host, main, []string{`#tryinclude "` + name + `"`}, func(old string) string {
		return etc.Append(old, `#tryinclude "`+name+`"`)
	}, reload...)
}

// edit plans a change to a file that is there, or one like another that is not.
func (f *fixer) edit(part, path, like string, shown []string, change_ func(string) string, reload ...string) error {
	owner, err := etc.OwnerOf(path)
	if errors.Is(err, fs.ErrNotExist) {
		owner, err = asteriskOwner(like)
	}
	if err != nil {
		return err
	}
	was, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	c := change{path: path, part: part, was: was, text: []byte(change_(string(was))), owner: owner, shown: shown, reload: reload}
	if string(c.was) != string(c.text) {
		f.changes = append(f.changes, c)
	}
	return nil
}

// asteriskOwner is whose a new file beside another one is. Who runs Asterisk must be able to read it: where the other one
// is root's, who reads it is found by the group of the name.
func asteriskOwner(main string) (etc.Owner, error) {
	o, err := etc.OwnerOf(main)
	if err != nil {
		return o, err
	}
	if o.GID == 0 && o.Mode&0o004 != 0 {
		if g, err := user.LookupGroup("asterisk"); err == nil {
			if o.GID, err = strconv.Atoi(g.Gid); err != nil {
				return o, err
			}
		}
	}
	return o, nil
}

func (f *fixer) pair(part, section, key, value, have string, secret bool) {
	if have != value {
		f.pairs = append(f.pairs, pair{part, section, key, value, secret})
	}
}

// listens is where Asterisk is reached by what its file says; it is opened to this machine alone when it was closed.
func listens(t *etc.Tree, portKey, port string, opened bool) string {
	host := t.Value("general", "bindaddr")
	if ip, err := netip.ParseAddr(host); opened && (err != nil || !ip.IsLoopback()) || err != nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, cmp.Or(t.Value("general", portKey), port))
}

func has(list []string, word string) bool {
	for _, s := range list {
		if s == word {
			return true
		}
	}
	return false
}

func makeFolder(dir string, o etc.Owner) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	mode := o.Mode | o.Mode>>2&0o111 // who may read a file of it may enter it
	return errors.Join(os.Lchown(dir, o.UID, o.GID), os.Chmod(dir, mode))
}
