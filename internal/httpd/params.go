package httpd

import (
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
)

const (
	// MaxParams is how many parameters a request may have.
	MaxParams = 256
	// MaxParam is the longest value of a parameter, in bytes.
	MaxParam = 8192

	maxName = 128
)

// Params are the parameters of a request from its query and its body, blanks
// around names and values cut off. Every value is UTF-8 text without control
// characters.
type Params struct {
	values map[string]string
	long   []string // names of those that may be as long as the body
}

// ReadLongParams is ReadParams for a route with parameters that may be as long as the body. It must be the first to read.
func ReadLongParams(c echo.Context, long ...string) (Params, error) { return remember(c, long) }

// ReadParams collects the parameters of a request: its query, and its body as a
// form or as a JSON object, on every method (DELETE too). Of a JSON body numbers
// keep their digits, true and false are words, a list is joined with commas, and
// null is as if it were not there. A parameter that comes twice must have the
// same value both times: which of two is meant is not for us to guess. The error
// is an *Error with status 400.
//
// A second call for one request returns the same parameters, although the body has been read.
func ReadParams(c echo.Context) (Params, error) { return remember(c, nil) }

func remember(c echo.Context, long []string) (Params, error) {
	if p, ok := c.Get(paramsKey).(Params); ok {
		return p, nil
	}
	p, err := readParams(c, long)
	if err == nil {
		c.Set(paramsKey, p)
	}
	return p, err
}

// paramsKey is where the parameters of a request are kept in echo's context.
const paramsKey = "dialbridge.params"

// Encode returns all parameters in a form that is the same for the same parameters.
func (p Params) Encode() string {
	values := make(url.Values, len(p.values))
	for name, value := range p.values {
		values.Set(name, value)
	}
	return values.Encode()
}

func readParams(c echo.Context, long []string) (Params, error) {
	p := Params{values: map[string]string{}, long: long}
	r := c.Request()
	if err := p.addForm(r.URL.RawQuery, "query"); err != nil {
		return Params{}, err
	}
	body, err := readBody(r)
	if err != nil {
		return Params{}, err
	}
	if len(body) == 0 {
		return p, nil
	}
	kind, err := bodyKind(r)
	switch {
	case err != nil:
		return Params{}, err
	case kind == echo.MIMEApplicationJSON:
		err = p.addJSON(body)
	default:
		err = p.addForm(string(body), "body")
	}
	if err != nil {
		return Params{}, err
	}
	return p, nil
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		if known := answer(r.Context(), err); known.Status != http.StatusInternalServerError {
			return nil, known
		}
		return nil, bad("the body cannot be read")
	}
	return body, nil
}

// bodyKind is the media type of the body: form or JSON. A body of no type is a
// form, which is what the oldest clients send.
func bodyKind(r *http.Request) (string, error) {
	header := r.Header.Get(echo.HeaderContentType)
	if header == "" {
		return echo.MIMEApplicationForm, nil
	}
	kind, options, err := mime.ParseMediaType(header)
	if err != nil {
		return "", bad("the Content-Type cannot be read; send application/x-www-form-urlencoded or application/json")
	}
	if charset := options["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return "", bad("the charset %s is not understood; send utf-8", show(charset))
	}
	switch {
	case kind == echo.MIMEApplicationForm:
		return kind, nil
	case kind == echo.MIMEApplicationJSON, strings.HasSuffix(kind, "+json"):
		return echo.MIMEApplicationJSON, nil
	}
	return "", bad("the Content-Type %s is not understood; send application/x-www-form-urlencoded or application/json", show(kind))
}

func (p Params) addForm(text, where string) error {
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return bad("the %s has a name that is badly encoded", where)
		}
		value, err = url.QueryUnescape(value)
		if err != nil {
			return bad("the %s has a badly encoded value: %s", where, show(name))
		}
		if err := p.add(name, value); err != nil {
			return err
		}
	}
	return nil
}

// add checks one parameter and takes it.
func (p Params) add(name, value string) error {
	name, value = trim(name), trim(value)
	if fault := unclean(name, maxName); fault != "" || name == "" {
		return bad("the name of a parameter is empty or no plain text: %s", show(name))
	}
	longest := MaxParam
	if slices.Contains(p.long, name) {
		longest = math.MaxInt
	}
	if fault := unclean(value, longest); fault != "" {
		return bad("%s %s", show(name), fault)
	}
	if first, twice := p.values[name]; twice && first != value {
		return bad("%s is given twice with different values", show(name))
	}
	p.values[name] = value
	if len(p.values) > MaxParams {
		return bad("more than %d parameters", MaxParams)
	}
	return nil
}

// trim cuts blanks: tabs and all that Unicode calls a space, but no line end.
func trim(text string) string {
	return strings.TrimFunc(text, func(r rune) bool { return r == '\t' || unicode.Is(unicode.Zs, r) })
}

// unclean says what is wrong with a text, "" when nothing is.
func unclean(text string, longest int) string {
	switch {
	case len(text) > longest:
		return fmt.Sprintf("is longer than %d bytes", longest)
	case !utf8.ValidString(text):
		return "is not UTF-8"
	case strings.ContainsFunc(text, unicode.IsControl):
		return "holds a control character"
	}
	return ""
}

func bad(format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

// show makes a text from outside fit for a message: short, and without anything
// that a terminal or a log could take for its own.
func show(text string) string {
	if len(text) > 40 {
		text = text[:40] + "..."
	}
	quoted := strconv.QuoteToGraphic(text)
	if plain := quoted[1 : len(quoted)-1]; plain == text && text != "" {
		return plain
	}
	return quoted
}

// Lookup returns the value of a parameter and whether it was given.
func (p Params) Lookup(name string) (string, bool) {
	value, ok := p.values[name]
	return value, ok
}

// Get returns the first value that is not empty of one parameter under its
// several names, "" without any.
func (p Params) Get(names ...string) string {
	for _, name := range names {
		if value := p.values[name]; value != "" {
			return value
		}
	}
	return ""
}

// Require is Get for what must be there; the error is an *Error with status 400
// that names the first of the names.
func (p Params) Require(names ...string) (string, error) {
	if value := p.Get(names...); value != "" {
		return value, nil
	}
	return "", bad("%s is missing", names[0])
}

// Int returns a parameter as a number between least and most, preset where it is
// not given or empty; the error is an *Error with status 400.
func (p Params) Int(name string, preset, least, most int) (int, error) {
	value := p.values[name]
	if value == "" {
		return preset, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		return 0, bad("%s is no number from %d to %d", name, least, most)
	}
	return n, nil
}

// Len is the number of parameters.
func (p Params) Len() int { return len(p.values) }

// PathParam returns a parameter of the path, decoded, blanks cut off, under the
// same rules as Params; the error is an *Error with status 400.
func PathParam(c echo.Context, name string) (string, error) {
	value := c.Param(name)
	if c.Request().URL.RawPath != "" { // else echo has routed by the decoded path
		decoded, err := url.PathUnescape(value)
		if err != nil {
			return "", bad("%s is badly encoded", name)
		}
		value = decoded
	}
	value = trim(value)
	if fault := unclean(value, MaxParam); fault != "" {
		return "", bad("%s %s", name, fault)
	}
	return value, nil
}
