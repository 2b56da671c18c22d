package phone

import (
	"net/url"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// newParty makes a Party of a display name as it stands in a header, quotes gone but escapes kept, and its URI.
func newParty(name string, uri sip.Uri) Party {
	number := uri.User
	if uri.Scheme == "tel" {
		number, _, _ = strings.Cut(uri.Raw(), ";")
	}
	if plain, err := url.PathUnescape(number); err == nil {
		number = plain
	}
	return Party{Number: number, Name: unquoted(name), URI: uri.String()}
}

// parseParty reads a name-addr header value such as P-Asserted-Identity.
func parseParty(value string) (Party, bool) {
	if value == "" {
		return Party{}, false
	}
	var uri sip.Uri
	var params sip.HeaderParams
	name, err := sip.ParseAddressValue(value, &uri, &params)
	if err != nil {
		return Party{}, false
	}
	return newParty(name, uri), true
}

// quoted escapes a display name for a quoted-string (RFC 3261 25.1).
func quoted(name string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", " ", "\n", " ").Replace(name)
}

func unquoted(name string) string {
	var b strings.Builder
	escaped := false
	for _, r := range name {
		if r == '\\' && !escaped {
			escaped = true
			continue
		}
		escaped = false
		b.WriteRune(r)
	}
	return b.String()
}

// causes reads the Reason headers (RFC 3326) of a message and Asterisk's own cause header.
func causes(message sip.Message) (header string, q850 int) {
	var texts []string
	for _, h := range message.GetHeaders("Reason") {
		texts = append(texts, h.Value())
		for value := range strings.SplitSeq(h.Value(), ",") {
			if number, ok := causeOf(value); ok {
				q850 = number
			}
		}
	}
	if q850 == 0 {
		q850, _ = seconds(headerValue(message, "X-Asterisk-HangupCauseCode"))
	}
	return strings.Join(texts, ", "), q850
}

func causeOf(reason string) (int, bool) {
	protocol, params, _ := strings.Cut(reason, ";")
	if !strings.EqualFold(strings.TrimSpace(protocol), "Q.850") {
		return 0, false
	}
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if strings.EqualFold(name, "cause") {
			return seconds(value)
		}
	}
	return 0, false
}
