package conf

import (
	"log/slog"
	"strings"
)

// String shows the configuration in the form of the file, secrets masked.
func (c *Config) String() string {
	var b strings.Builder
	section := ""
	for _, k := range c.keys() {
		if k.section != section {
			section = k.section
			b.WriteString("[" + section + "]\n")
		}
		b.WriteString(k.name + " = " + k.shown() + "\n")
	}
	if len(c.IVR) > 0 {
		b.WriteString("[" + ivrSection + "]\n" + c.menus())
	}
	if len(c.Gateways) > 0 {
		b.WriteString("[" + gatewaySection + "]\n")
		for i := range c.Gateways {
			b.WriteString(c.Gateways[i].Name + " = " + c.Gateways[i].text() + "\n")
		}
	}
	if len(c.Overlays) > 0 {
		b.WriteString("[" + overlaySection + "]\n")
		for _, o := range c.Overlays {
			b.WriteString(o.Queue + "." + o.Key + " = " + o.Value + "\n")
		}
	}
	return b.String()
}

// LogValue implements [slog.LogValuer]: a group for each section, secrets masked.
func (c *Config) LogValue() slog.Value {
	var groups []slog.Attr
	for _, k := range c.keys() {
		if len(groups) == 0 || groups[len(groups)-1].Key != k.section {
			groups = append(groups, slog.Attr{Key: k.section, Value: slog.GroupValue()})
		}
		last := &groups[len(groups)-1].Value
		*last = slog.GroupValue(append(last.Group(), slog.String(strings.ToLower(k.name), k.shown()))...)
	}
	return slog.GroupValue(groups...)
}

func (k key) shown() string {
	if m, ok := k.value.(masked); ok {
		return m.masked()
	}
	return k.value.text()
}

func (c *Config) menus() string {
	var b strings.Builder
	for _, m := range c.IVR {
		b.WriteString(m.Context + " = " + m.ID + ", " + m.Name + "\n")
	}
	return b.String()
}

// Changed compares the running configuration with a newly read one and names the
// keys, such as "[general] BINDPORT", whose new value takes effect only after a
// restart: the listeners, the database, the links to Asterisk and what a part is
// built with. All other keys may be taken over at once.
func Changed(running, fresh *Config) (needRestart []string) {
	after := map[string]string{}
	for _, k := range fresh.keys() {
		after[k.section+"."+k.name] = k.value.text()
	}
	for _, k := range running.keys() {
		if k.restart && k.value.text() != after[k.section+"."+k.name] {
			needRestart = append(needRestart, "["+k.section+"] "+k.name)
		}
	}
	return needRestart
}
