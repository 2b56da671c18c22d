package httpd

import (
	"strings"
	"time"
)

// localTime is the form of times without a zone.
const localTime = "2006-01-02 15:04:05"

// zoneTorn is the offset of a time whose plus sign became a blank, because the client did not encode it.
const zoneTorn = " 07:00"

// Text returns a parameter of at most so many bytes; the error is an *Error with status 400.
func (p Params) Text(name string, longest int) (string, error) {
	v := p.Get(name)
	if len(v) > longest {
		return "", bad("%s is longer than %d bytes", name, longest)
	}
	return v, nil
}

// OneOf returns a parameter that is one of some words, in capitals or not, as it stands among the words; "" where it is not given. The error is
// an *Error with status 400.
func (p Params) OneOf(name string, words ...string) (string, error) {
	text := strings.ToLower(p.Get(name))
	if text == "" {
		return "", nil
	}
	for _, w := range words {
		if w == text {
			return w, nil
		}
	}
	last := len(words) - 1
	return "", bad("%s: %s or %s", name, strings.Join(words[:last], ", "), words[last])
}

// OnOff are the usual spellings of yes and no.
func OnOff(text string) (yes, known bool) {
	switch strings.ToLower(text) {
	case "on", "1", "true", "yes":
		return true, true
	case "off", "0", "false", "no":
		return false, true
	}
	return false, false
}

// YesOrNo returns a parameter that says yes or no, nil where it is not given; the error is an *Error with status 400.
func (p Params) YesOrNo(name string) (*bool, error) {
	text := p.Get(name)
	if text == "" {
		return nil, nil
	}
	yes, known := OnOff(text)
	if !known {
		return nil, bad("%s: yes or no", name)
	}
	return &yes, nil
}

// Moment returns a parameter that is a time: YYYY-MM-DD HH:MM:SS in a zone, or RFC 3339; the zero time where it is not given. Years before 1970
// have no calls. The error is an *Error with status 400.
func (p Params) Moment(name string, zone *time.Location) (time.Time, error) {
	text := p.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.ParseInLocation(localTime, text, zone)
	if err != nil {
		if i := len(text) - len(zoneTorn); i > len("2006-01-02T") && text[i] == ' ' {
			text = text[:i] + "+" + text[i+1:]
		}
		t, err = time.Parse(time.RFC3339, text)
	}
	if err != nil || t.Unix() < 0 {
		return time.Time{}, bad("%s is no time: YYYY-MM-DD HH:MM:SS or RFC 3339", name)
	}
	return t, nil
}
