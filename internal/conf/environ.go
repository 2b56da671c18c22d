package conf

import (
	"slices"
	"strings"
)

// prefix starts every environment variable that is ours.
const prefix = "DIALBRIDGE_"

// overlay lays the environment over the fields. A variable with our prefix that
// is no key is a fault, as a slip in the file is.
func (c *Config) overlay(table []key, environ []string, origin map[string]place) []*Error {
	var faults []*Error
	names := make([]string, len(table))
	for i, k := range table {
		names[i] = k.variable()
	}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, prefix) || foreign(name) {
			continue
		}
		i := slices.Index(names, name)
		if i < 0 {
			faults = append(faults, &Error{Variable: shorten(name), Reason: "is unknown; the nearest is " + nearest(name, names)})
			continue
		}
		fault := overlayOne(table[i], value)
		origin[table[i].section+"."+strings.ToLower(table[i].name)] = place{variable: name, bad: fault != ""}
		if fault != "" {
			faults = append(faults, &Error{Variable: name, Section: table[i].section, Key: table[i].name, Reason: fault})
		}
	}
	return faults
}

func overlayOne(k key, value string) string {
	if fault := unclean(value); fault != "" {
		return "the value " + fault + "; write plain UTF-8 text"
	}
	if err := k.value.set(strings.Trim(value, blanks)); err != nil {
		return err.Error()
	}
	return ""
}

// foreign knows the variables with our prefix that are nobody's mistake: those
// that Kubernetes and Docker set by themselves beside a service of the name
// dialbridge (DIALBRIDGE_SERVICE_HOST, DIALBRIDGE_PORT_8000_TCP_ADDR), and those
// of the lab, which starts the daemon for tests.
func foreign(name string) bool {
	rest := strings.TrimPrefix(name, prefix)
	if rest == "PORT" {
		return true
	}
	for _, start := range []string{"PORT_", "SERVICE_", "LAB_"} {
		if strings.HasPrefix(rest, start) {
			return true
		}
	}
	return false
}
