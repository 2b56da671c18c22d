package conf

import (
	"regexp"
	"strings"
)

const ivrSection = "ivr"

var menuForm = regexp.MustCompile(`^[^\s,]{1,64}$`)

// addMenu takes one line of [ivr].
func (c *Config) addMenu(e entry, fault *Error) *Error {
	id, name, _ := strings.Cut(e.value, ",")
	id, name = strings.Trim(id, blanks), strings.Trim(name, blanks)
	if !menuForm.MatchString(id) {
		fault.Reason = wrong(e.value, "is no menu", "ID, NAME such as 610, working time").Error()
		return fault
	}
	c.IVR = append(c.IVR, Menu{Context: e.name, ID: id, Name: name})
	return nil
}
