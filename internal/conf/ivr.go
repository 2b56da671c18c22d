package conf

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

const ivrSection = "ivr"

var menuForm = regexp.MustCompile(`^[^\s,]+$`)

// addMenu takes one line of [ivr].
func (c *Config) addMenu(e entry, fault *Error) *Error {
	id, name, _ := strings.Cut(e.value, ",")
	id, name = strings.Trim(id, blanks), strings.Trim(name, blanks)
	if utf8.RuneCountInString(id) > 64 || !menuForm.MatchString(id) {
		fault.Reason = wrong(e.value, "is no menu", "ID, NAME such as 610, working time").Error()
		return fault
	}
	c.IVR = append(c.IVR, Menu{Context: e.name, ID: id, Name: name})
	return nil
}
