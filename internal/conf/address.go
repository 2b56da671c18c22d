package conf

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

var (
	hostForm   = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$`)
	digitsForm = regexp.MustCompile(`^[0-9.]+$`)
	schemeForm = regexp.MustCompile(`^([a-z]{1,12})://`)
)

// The lengths are asked apart, here and elsewhere: a counted repetition is compiled into as many copies.

// isHost says whether the text is an IP address or may be a host name.
func isHost(t string) bool {
	if a, err := netip.ParseAddr(t); err == nil {
		return a.Zone() == "" || isWord(a.Zone())
	}
	// 1.2.3 or 10.0.0.256 would go to the resolver as a name; it is a slip.
	return len(t) <= 253 && hostForm.MatchString(t) && !digitsForm.MatchString(t)
}

// host is an IP address or a host name without a port.
type host struct{ target *string }

func (v host) set(t string) error {
	plain := strings.TrimSuffix(strings.TrimPrefix(t, "["), "]")
	if !isHost(plain) {
		return wrong(t, "is no address", "an IP address or a host name, without a port")
	}
	*v.target = plain
	return nil
}

func (v host) text() string { return *v.target }

// port is a TCP port; 0 lets the system choose.
type port struct{ target *int }

func (v port) set(t string) error {
	n, err := strconv.Atoi(t)
	if err != nil || n < 0 || n > 65535 {
		return wrong(t, "is no port", "a number from 0 (any free port) to 65535")
	}
	*v.target = n
	return nil
}

func (v port) text() string { return strconv.Itoa(*v.target) }

// optionalPort is a TCP port or the word off.
type optionalPort struct {
	on   *bool
	port *int
}

func (v optionalPort) set(t string) error {
	if strings.EqualFold(t, "off") {
		*v.on, *v.port = false, 0
		return nil
	}
	if err := (port{v.port}).set(t); err != nil {
		return wrong(t, "is no port", "a number from 0 (any free port) to 65535, or off")
	}
	*v.on = true
	return nil
}

func (v optionalPort) text() string {
	if !*v.on {
		return "off"
	}
	return strconv.Itoa(*v.port)
}

// address is HOST:PORT of a server.
type address struct{ target *string }

func (v address) set(t string) error {
	name, number, err := net.SplitHostPort(t)
	n, bad := strconv.ParseUint(number, 10, 16)
	if err != nil || bad != nil || n == 0 || !isHost(name) {
		return wrong(t, "is no HOST:PORT", "both, such as 127.0.0.1:5038 or [::1]:5038")
	}
	*v.target = t
	return nil
}

func (v address) text() string { return *v.target }

// link is an http or https URL, or empty. Its faults never repeat it, because a
// mistyped URL is where a password hides best.
type link struct {
	target *URL
	bare   bool // needed, and without user information, query and fragment
}

func (v link) set(t string) error {
	if t == "" && !v.bare {
		*v.target = ""
		return nil
	}
	if fault := v.fault(t); fault != "" {
		return errors.New(fault + "; write http://HOST[:PORT][/PATH] or the same with https")
	}
	if v.bare {
		t = strings.TrimRight(t, "/")
	}
	*v.target = URL(t)
	return nil
}

func (v link) fault(t string) string {
	u, err := url.Parse(t)
	scheme := schemeForm.FindStringSubmatch(t)
	switch {
	case t == "":
		return "is empty"
	case scheme != nil && scheme[1] != "http" && scheme[1] != "https":
		return "has the scheme " + scheme[1]
	case err != nil || strings.ContainsAny(t, " \t"):
		return "is no URL"
	case u.Scheme != "http" && u.Scheme != "https":
		return "does not start with http:// or https://"
	case !isHost(u.Hostname()):
		return "has no host, or one that cannot be"
	case u.Port() != "" && !isPort(u.Port()):
		return "has a port out of range"
	case v.bare && (u.User != nil || u.RawQuery != "" || u.Fragment != ""):
		return "holds a user, a query or a fragment, which have no place here"
	}
	return ""
}

func isPort(t string) bool {
	n, err := strconv.ParseUint(t, 10, 16)
	return err == nil && n > 0
}

func (v link) text() string   { return string(*v.target) }
func (v link) masked() string { return v.target.String() }

// origins is a list of origins of pages, each as a browser writes it: lower case, without the port that goes without saying.
type origins struct{ target *[]string }

func (v origins) set(t string) error {
	var list []string
	for part := range strings.SplitSeq(t, ",") {
		part = strings.Trim(part, blanks)
		if part == "" && t == "" {
			break
		}
		u, err := url.Parse(part)
		if fault := (link{}).fault(part); fault != "" || err != nil || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(part, "#") {
			return wrong(part, "is no origin", "a list such as https://crm.example, http://10.0.0.5:8080")
		}
		origin := u.Scheme + "://" + strings.ToLower(u.Host)
		origin = strings.TrimSuffix(origin, map[string]string{"http": ":80", "https": ":443"}[u.Scheme])
		list = append(list, origin)
	}
	*v.target = list
	return nil
}

func (v origins) text() string { return strings.Join(*v.target, ", ") }

// networks is a list of CIDR networks; a lone address is a network of one.
type networks struct{ target *[]netip.Prefix }

func (v networks) set(t string) error {
	if t == "" {
		return errEmpty
	}
	var list []netip.Prefix
	for part := range strings.SplitSeq(t, ",") {
		prefix, ok := parseNetwork(strings.Trim(part, blanks))
		if !ok {
			return wrong(strings.Trim(part, blanks), "is no network", "a list such as 10.0.0.0/8, 192.0.2.7, ::1/128")
		}
		list = append(list, prefix)
	}
	*v.target = list
	return nil
}

func parseNetwork(t string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(t); err == nil {
		if !p.Addr().Is4In6() {
			return p.Masked(), true
		}
		// a client is known by its IPv4 address, which no network of mapped ones contains
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		return p.Masked(), p.IsValid()
	}
	a, err := netip.ParseAddr(t)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), true
}

func (v networks) text() string {
	list := make([]string, len(*v.target))
	for i, p := range *v.target {
		list[i] = p.String()
	}
	return strings.Join(list, ", ")
}
