package conf

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
)

const mask = "***"

// Secret is a text that no formatting verb, log line or encoder shows. The text
// itself is string(s).
type Secret string

// String returns "***", or "" for the empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// Format implements [fmt.Formatter], so that no verb at all can show the text.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements [encoding.TextMarshaler].
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// URL is an address that is shown without its user information and its query,
// where people keep keys. The whole address is string(u).
type URL string

// String returns the address with user information and query values masked.
func (u URL) String() string {
	if u == "" {
		return ""
	}
	parsed, err := url.Parse(string(u))
	if err != nil {
		return mask
	}
	// Built by hand, because URL.String would escape the mask.
	user, query := "", ""
	if parsed.User != nil {
		user = mask + "@"
	}
	if parsed.RawQuery != "" || parsed.Fragment != "" {
		query = "?" + mask
	}
	host := strings.ReplaceAll(parsed.Host, "%", "%25") // the zone of a link-local address
	return parsed.Scheme + "://" + user + host + parsed.EscapedPath() + query
}

// Format implements [fmt.Formatter], so that no verb at all can show the query.
func (u URL) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, u.String()) }

// LogValue implements [slog.LogValuer].
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText implements [encoding.TextMarshaler].
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }
