package conf

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

const gatewaySection = "ola_gateways"

// MaxCount is the count of a trunk group that has no limit, as the vendor's document prints it.
const MaxCount = 9999999

// Gateway is one line of the section [ola_gateways]: NAME = ENDPOINT, ENDPOINT, count=N, callerid=NUMBER.
type Gateway struct {
	Name      string   // in its own spelling
	Endpoints []string // what is dialled, in turn; none = the dialplan of [dial] context
	Count     int      // calls at once
	CallerID  string   // number shown to who is called, "" = the trunk's own
}

// endpointForm keeps out what separates in Asterisk's dial strings and in an application's arguments.
var (
	endpointForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*/(\{number\}|[A-Za-z0-9_.@:/+*#-])+$`)
	callerForm   = regexp.MustCompile(`^\+?[0-9]+$`)
)

// addGateway takes one line of [ola_gateways].
func (c *Config) addGateway(e entry, fault *Error) *Error {
	g := Gateway{Name: e.name, Count: MaxCount}
	for part := range strings.SplitSeq(e.value, ",") {
		if part = strings.Trim(part, blanks); part == "" && strings.Trim(e.value, blanks) == "" {
			continue
		}
		if err := g.add(part); err != nil {
			fault.Reason = err.Error()
			return fault
		}
	}
	c.Gateways = append(c.Gateways, g)
	return nil
}

// add takes one part of a line.
func (g *Gateway) add(part string) error {
	name, value, option := strings.Cut(part, "=")
	name, value = strings.ToLower(strings.Trim(name, blanks)), strings.Trim(value, blanks)
	switch {
	case option && name == "count":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > MaxCount {
			return wrong(part, "is no count in range", fmt.Sprintf("count=N, from 1 to %d", MaxCount))
		}
		g.Count = n
	case option && name == "callerid":
		if len(value) > 32 || !callerForm.MatchString(value) {
			return wrong(part, "is no number", "callerid=NUMBER, of digits")
		}
		g.CallerID = value
	case option || len(part) > 79 || !endpointForm.MatchString(part):
		return wrong(part, "is no part of a trunk group", "endpoints such as PJSIP/trunk or DAHDI/g0/9{number}, count=N, callerid=NUMBER, with commas")
	default:
		g.Endpoints = append(g.Endpoints, part)
	}
	return nil
}

func (g *Gateway) text() string {
	parts := append([]string(nil), g.Endpoints...)
	if g.Count != MaxCount {
		parts = append(parts, "count="+strconv.Itoa(g.Count))
	}
	if g.CallerID != "" {
		parts = append(parts, "callerid="+g.CallerID)
	}
	return strings.Join(parts, ", ")
}
