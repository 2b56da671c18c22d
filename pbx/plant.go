package pbx

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// A phone that is made here is one category in a configuration file of Asterisk, which UpdateConfig writes and a reload of one module
// reads: all of it over the manager interface, on a PBX that nobody has prepared (ADR 23).

// plant is where and how a SIP driver keeps its phones. What reads the file of PJSIP is not reloaded alone: a new phone would be callable
// when it registers, and shown as unavailable for up to a minute, because res_pjsip had not heard of it.
type plant struct{ tech, file, module, reload, mark string }

var (
	pjsipPlant = plant{tech: "PJSIP", file: "pjsip_wizard.conf", module: "res_pjsip_config_wizard.so", reload: "res_pjsip.so", mark: "dialbridge"}
	sipPlant   = plant{tech: "SIP", file: "sip.conf", module: "chan_sip.so", reload: "chan_sip.so", mark: "description"}
)

// lineTemplate is the template that an administrator may write into the file: phones that are made here inherit from it.
const lineTemplate = "dialbridge"

// setting is one line of a category.
type setting struct{ name, value string }

// category is what Asterisk tells of one category, with what it inherits; of two lines of one name the last counts.
type category map[string]string

// plant chooses the driver: the configured one, else chan_sip where it is alone.
func (s *Switch) plant() plant {
	s.mu.RLock()
	defer s.mu.RUnlock()
	tech := s.state.rules.Technology
	if tech == "SIP" || tech == "" && s.drivers.SIP && !s.drivers.PJSIP {
		return sipPlant
	}
	return pjsipPlant
}

// markOf is how a category tells whose it is, and which writing of it: chan_sip shows no password, and takes a change up some
// milliseconds after it has said so.
func markOf(l Line) string { return "dialbridge " + l.UUID + "." + strconv.FormatInt(l.revision, 10) }

// made reports whether a category is that of a line.
func (p plant) made(c category, l Line) bool {
	return strings.HasPrefix(c[p.mark], "dialbridge "+l.UUID+".")
}

// essence are the lines without which the phone would not be the line's.
func (p plant) essence(l Line) []setting {
	if p.tech == "SIP" {
		return []setting{{"type", "friend"}, {"host", "dynamic"}, {"secret", l.Password}, {"context", l.Context}}
	}
	return []setting{
		{"type", "wizard"}, {"accepts_registrations", "yes"}, {"accepts_auth", "yes"},
		{"inbound_auth/username", l.Name}, {"inbound_auth/password", l.Password}, {"endpoint/context", l.Context},
	}
}

// presets are the lines that are left to the template where it has them.
func (p plant) presets(l Line) []setting {
	own := string(l.Exten) + " <" + string(l.Exten) + ">"
	if p.tech == "SIP" {
		return []setting{{"callerid", own}, {"qualify", "yes"}}
	}
	return []setting{
		{"endpoint/callerid", own}, {"endpoint/disallow", "all"}, {"endpoint/allow", "alaw,ulaw"}, {"endpoint/direct_media", "no"},
		{"endpoint/rtp_symmetric", "yes"}, {"endpoint/force_rport", "yes"}, {"endpoint/rewrite_contact", "yes"},
		{"aor/max_contacts", "1"}, {"aor/remove_existing", "yes"}, {"aor/qualify_frequency", "60"},
	}
}

// settings are all lines of a phone's category.
func (p plant) settings(l Line, template category) []setting {
	list := append(p.essence(l), setting{p.mark, markOf(l)})
	for _, x := range p.presets(l) {
		if _, ok := template[x.name]; !ok {
			list = append(list, x)
		}
	}
	return list
}

// same reports whether a category is that of a line and lets its phone in as the line says.
func (p plant) same(c category, l Line) bool {
	for _, x := range p.essence(l) {
		if c[x.name] != x.value {
			return false
		}
	}
	return p.made(c, l)
}

// ready checks that phones can be made, and makes a file that is not there.
func (d *Directory) ready(ctx context.Context, p plant) error {
	_, err := d.sw.client.Do(ctx, ami.NewAction("ModuleCheck", "Module", p.module))
	if refusedWith(err, "Module not loaded") {
		return &LackError{What: "its module " + p.module + " is not loaded"}
	}
	return translate(err)
}

// categories reads categories of the file, by name: those that a filter or a name chooses.
func (d *Directory) categories(ctx context.Context, p plant, by, value string) (map[string]category, error) {
	a := ami.NewAction("GetConfig", "Filename", p.file, by, value)
	if by == "Category" && value == lineTemplate {
		a = a.With("Filter", "TEMPLATES=restrict")
	}
	m, err := d.sw.client.Do(ctx, a)
	if refusedWith(err, "not found") {
		return nil, nil
	}
	if err != nil {
		return nil, translate(err)
	}
	list, names := map[string]category{}, map[string]string{}
	for name, value := range m.All() {
		if number, ok := strings.CutPrefix(name, "Category-"); ok {
			names[number], list[value] = value, category{}
		} else if rest, ok := strings.CutPrefix(name, "Line-"); ok {
			number, _, _ := strings.Cut(rest, "-")
			if key, v, ok := strings.Cut(value, "="); ok && list[names[number]] != nil {
				list[names[number]][key] = v
			}
		}
	}
	return list, nil
}

func (d *Directory) category(ctx context.Context, p plant, n Exten) (category, error) {
	list, err := d.categories(ctx, p, "Category", string(n))
	return list[string(n)], err
}

// ownCategories reads all that bear the mark of some daemon.
func (d *Directory) ownCategories(ctx context.Context, p plant) (map[string]category, error) {
	return d.categories(ctx, p, "Filter", p.mark+"=^dialbridge .*")
}

// updateConfig collects the steps of one UpdateConfig, which Asterisk does altogether or not at all.
type updateConfig struct {
	action ami.Action
	n      int
}

func newUpdate(p plant) *updateConfig {
	return &updateConfig{action: ami.NewAction("UpdateConfig", "SrcFilename", p.file, "DstFilename", p.file)}
}

func (u *updateConfig) step(nameValue ...string) {
	for i := 0; i+1 < len(nameValue); i += 2 {
		u.action = u.action.With(fmt.Sprintf("%s-%06d", nameValue[i], u.n), nameValue[i+1])
	}
	u.n++
}

// add makes the category of a line.
func (u *updateConfig) add(p plant, l Line, template category) {
	head := []string{"Action", "NewCat", "Cat", string(l.Exten)}
	if template != nil {
		head = append(head, "Options", `inherit="`+lineTemplate+`"`)
	}
	u.step(head...)
	for _, x := range p.settings(l, template) {
		if strings.HasPrefix(x.value, ">") {
			x.value = ">" + x.value // of which UpdateConfig takes one for an arrow
		}
		u.step("Action", "Append", "Cat", string(l.Exten), "Var", x.name, "Value", x.value)
	}
}

// write puts a line into the file, in the place of what was there for it, has it loaded, and waits until Asterisk shows it. A file
// that is not there is made.
func (d *Directory) write(ctx context.Context, p plant, l Line, replace bool) error {
	list, err := d.categories(ctx, p, "Category", lineTemplate)
	if err != nil {
		return err
	}
	if list == nil {
		if _, err := d.sw.client.Do(ctx, ami.NewAction("CreateConfig", "Filename", p.file)); err != nil && !refusedWith(err, "File exists") {
			return d.refused(p, err)
		}
	}
	u := newUpdate(p)
	if replace {
		u.step("Action", "DelCat", "Cat", string(l.Exten))
	}
	u.add(p, l, list[lineTemplate])
	if _, err := d.sw.client.Do(ctx, u.action); err != nil {
		return d.refused(p, err)
	}
	return d.load(ctx, p, l.Exten, confirmPatience, func(ctx context.Context) (bool, error) { return d.shows(ctx, p, l) })
}

// erase takes a line out of the file, has that loaded, and waits until Asterisk has it no more.
func (d *Directory) erase(ctx context.Context, p plant, n Exten) error {
	u := newUpdate(p)
	u.step("Action", "DelCat", "Cat", string(n))
	if _, err := d.sw.client.Do(ctx, u.action); err != nil {
		return d.refused(p, err)
	}
	return d.load(ctx, p, n, confirmPatience, d.absent(p, n))
}

func (d *Directory) absent(p plant, n Exten) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		there, err := d.present(ctx, p.tech, n)
		return !there, err
	}
}

// refused gives the refusal of a file its meaning.
func (d *Directory) refused(p plant, err error) error {
	switch {
	case refusedWith(err, "Create category did not complete"):
		return fmt.Errorf("%w: category in %s", ErrExists, p.file)
	case refusedWith(err, "escalated"):
		return &LackError{What: "its manager interface may not write " + p.file}
	case refusedWith(err, "Save of config failed"):
		return &LackError{What: "it cannot write " + p.file + ", see its log"}
	}
	return translate(err)
}

// load has the driver read its file, and waits until it shows what was written. RefusedError when it does not.
func (d *Directory) load(ctx context.Context, p plant, n Exten, wait time.Duration, done func(context.Context) (bool, error)) error {
	if _, err := d.sw.client.Do(ctx, ami.NewAction("Reload", "Module", p.reload)); err != nil {
		return translate(err)
	}
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	patience := time.NewTimer(wait)
	defer patience.Stop()
	for {
		if ok, err := done(ctx); ok || err != nil {
			return err
		}
		select {
		case <-look.C:
		case <-patience.C:
			return &RefusedError{Text: "it has read " + p.file + " and goes on as before for " + string(n) + ", see its log"}
		}
	}
}

// lookAgain is how soon Asterisk is asked again whether it has loaded a change.
const lookAgain = 10 * time.Millisecond

// shows reports whether Asterisk has loaded a line as it is.
func (d *Directory) shows(ctx context.Context, p plant, l Line) (bool, error) {
	if p.tech == "SIP" {
		m, err := d.sw.client.Do(ctx, ami.NewAction("SIPshowpeer", "Peer", string(l.Exten)))
		return err == nil && m.Get("Description") == markOf(l), onlyLink(err)
	}
	list, err := d.sw.client.List(ctx, ami.NewAction("PJSIPShowEndpoint", "Endpoint", string(l.Exten)))
	if err != nil {
		return false, onlyLink(err)
	}
	endpoint, auth := false, false
	for _, m := range list {
		switch m.Event() {
		case "EndpointDetail":
			endpoint = m.Get("Context") == l.Context
		case "AuthDetail":
			auth = m.Get("Username") == l.Name && m.Get("Password") == l.Password
		}
	}
	return endpoint && auth, nil
}

// present reports whether a driver knows a phone, whoever made it.
func (d *Directory) present(ctx context.Context, tech string, n Exten) (bool, error) {
	if tech == "SIP" {
		_, err := d.sw.client.Do(ctx, ami.NewAction("SIPshowpeer", "Peer", string(n)))
		return err == nil, onlyLink(err)
	}
	_, err := d.sw.client.List(ctx, ami.NewAction("PJSIPShowEndpoint", "Endpoint", string(n)))
	return err == nil, onlyLink(err)
}

// onlyLink takes a refusal for "there is none" and lets the rest through: the loss of the link, a privilege that is missing.
func onlyLink(err error) error {
	var refused *ami.ResponseError
	if errors.As(err, &refused) && !errors.Is(err, ami.ErrPermission) {
		return nil
	}
	return translate(err)
}

// forget takes the registration of a phone that is no more out of AstDB, where it would wait for the next phone of that number.
func (d *Directory) forget(ctx context.Context, p plant, n Exten) error {
	keys := []string{"Registry/" + string(n)}
	family := "SIP"
	if p.tech == "PJSIP" {
		family, keys = "registrar", nil
		list, err := d.sw.DBTree(ctx, family)
		if err != nil {
			return err
		}
		for _, e := range list {
			if strings.HasPrefix(e.Key, "contact/"+string(n)+";@") {
				keys = append(keys, e.Key)
			}
		}
	}
	for _, key := range keys {
		if _, err := d.sw.client.Do(ctx, ami.NewAction("DBDel", "Family", family, "Key", key)); onlyLink(err) != nil {
			return translate(err)
		}
	}
	return nil
}
