package main

import (
	"fmt"
	"math"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dialbridge/dialbridge/internal/golden"
)

// page is what /metrics says, read by the rules of the text format 0.0.4 and no looser: every family has HELP and TYPE,
// once and before its samples, which are together and each there once; histograms add up.
type page struct {
	families []*pageFamily
	names    map[string]*pageFamily
}

type pageFamily struct {
	name, help, kind string
	samples          map[string]float64 // by name and sorted labels, as they would be written
	order            []pageSample
}

type pageSample struct {
	name   string
	labels [][2]string
	value  float64
}

var (
	metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	labelName  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
)

func parsePage(text string) (*page, error) {
	p := &page{names: map[string]*pageFamily{}}
	if !strings.HasSuffix(text, "\n") {
		return nil, fmt.Errorf("the last line has no end")
	}
	for line := range strings.Lines(text) {
		if err := p.line(strings.TrimSuffix(line, "\n")); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
	}
	for _, f := range p.families {
		if err := f.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return p, nil
}

func (p *page) last() *pageFamily {
	if len(p.families) == 0 {
		return &pageFamily{}
	}
	return p.families[len(p.families)-1]
}

func (p *page) line(line string) error {
	if text, ok := strings.CutPrefix(line, "# HELP "); ok {
		name, help, _ := strings.Cut(text, " ")
		if p.names[name] != nil {
			return fmt.Errorf("the family begins twice")
		}
		if !metricName.MatchString(name) || help == "" {
			return fmt.Errorf("no name, or no help")
		}
		f := &pageFamily{name: name, help: help, samples: map[string]float64{}}
		p.names[name], p.families = f, append(p.families, f)
		return nil
	}
	f := p.last()
	if text, ok := strings.CutPrefix(line, "# TYPE "); ok {
		name, kind, _ := strings.Cut(text, " ")
		if name != f.name || f.kind != "" || !slices.Contains([]string{"counter", "gauge", "histogram", "summary"}, kind) {
			return fmt.Errorf("no type, a second one, or not below its help")
		}
		f.kind = kind
		return nil
	}
	s, err := parseSample(line)
	if err != nil {
		return err
	}
	return f.add(s)
}

func (f *pageFamily) add(s pageSample) error {
	if f.kind == "" {
		return fmt.Errorf("a sample before its type")
	}
	names := map[string][]string{
		"histogram": {f.name + "_bucket", f.name + "_sum", f.name + "_count"}, "summary": {f.name, f.name + "_sum", f.name + "_count"},
	}[f.kind]
	if names == nil {
		names = []string{f.name}
	}
	if !slices.Contains(names, s.name) {
		return fmt.Errorf("a sample of another family among those of %s", f.name)
	}
	if f.kind == "counter" && (s.value < 0 || math.IsNaN(s.value)) {
		return fmt.Errorf("a counter below 0")
	}
	key := s.key("")
	if _, twice := f.samples[key]; twice {
		return fmt.Errorf("the sample is there twice")
	}
	f.samples[key], f.order = s.value, append(f.order, s)
	return nil
}

// key is the sample's name and its labels but one, in their order.
func (s pageSample) key(without string) string {
	labels := slices.Clone(s.labels)
	slices.SortFunc(labels, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	labels = slices.DeleteFunc(labels, func(l [2]string) bool { return l[0] == without })
	return fmt.Sprintf("%s%q", s.name, labels)
}

func (s pageSample) label(name string) string {
	for _, l := range s.labels {
		if l[0] == name {
			return l[1]
		}
	}
	return ""
}

// labels are the names of the labels that its samples have.
func (f *pageFamily) labels() (names []string) {
	for _, s := range f.order {
		for _, l := range s.labels {
			names = append(names, l[0])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// check holds what is said of a family as a whole.
func (f *pageFamily) check() error {
	if len(f.order) == 0 {
		return fmt.Errorf("has no sample")
	}
	if f.kind != "histogram" {
		return nil
	}
	var bound, below float64
	series := ""
	for _, s := range f.order {
		if s.name != f.name+"_bucket" {
			continue
		}
		le, err := strconv.ParseFloat(s.label("le"), 64)
		if err != nil {
			return err
		}
		if key := s.key("le"); key != series {
			series, bound, below = key, math.Inf(-1), 0
		}
		if le <= bound || s.value < below {
			return fmt.Errorf("buckets of %s do not grow at %v", series, le)
		}
		bound, below = le, s.value
		if math.IsInf(le, 1) {
			base := strings.TrimPrefix(series, f.name+"_bucket")
			if count, ok := f.samples[f.name+"_count"+base]; !ok || count != s.value {
				return fmt.Errorf("the count of %s is %v, its last bucket %v", base, count, s.value)
			}
			if _, ok := f.samples[f.name+"_sum"+base]; !ok {
				return fmt.Errorf("%s has no sum", base)
			}
			series = ""
		}
	}
	if series != "" {
		return fmt.Errorf("%s has no bucket without an end", series)
	}
	return nil
}

// parseSample reads name{label="value",...} value.
func parseSample(line string) (s pageSample, err error) {
	end := strings.IndexAny(line, "{ ")
	if end < 0 || !metricName.MatchString(line[:end]) {
		return s, fmt.Errorf("no name")
	}
	s.name = line[:end]
	rest := line[end:]
	if rest[0] == '{' {
		if s.labels, rest, err = parseLabels(rest[1:]); err != nil {
			return s, err
		}
	}
	text, ok := strings.CutPrefix(rest, " ")
	if !ok {
		return s, fmt.Errorf("no blank before the value")
	}
	s.value, err = strconv.ParseFloat(text, 64)
	return s, err
}

// parseLabels reads to the closing brace and returns what follows it.
func parseLabels(text string) (labels [][2]string, rest string, err error) {
	for {
		name, after, ok := strings.Cut(text, `="`)
		if !ok || !labelName.MatchString(name) {
			return nil, "", fmt.Errorf("no label at %q", text)
		}
		for _, l := range labels {
			if l[0] == name {
				return nil, "", fmt.Errorf("label %s twice", name)
			}
		}
		value, after, err := parseLabelValue(after)
		if err != nil {
			return nil, "", err
		}
		labels = append(labels, [2]string{name, value})
		if rest, ok := strings.CutPrefix(after, "}"); ok {
			return labels, rest, nil
		}
		if text, ok = strings.CutPrefix(after, ","); !ok {
			return nil, "", fmt.Errorf("neither comma nor brace at %q", after)
		}
	}
}

// parseLabelValue reads to the closing quote. Only backslash, quote and newline are escaped.
func parseLabelValue(text string) (value, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			return b.String(), text[i+1:], nil
		case '\\':
			i++
			if i == len(text) {
				return "", "", fmt.Errorf("ends in a backslash")
			}
			plain, ok := map[byte]byte{'\\': '\\', '"': '"', 'n': '\n'}[text[i]]
			if !ok {
				return "", "", fmt.Errorf("unknown escape \\%c", text[i])
			}
			b.WriteByte(plain)
		default:
			b.WriteByte(c)
		}
	}
	return "", "", fmt.Errorf("no closing quote")
}

// expositionVerb reads all of /metrics and compares its families with those that are promised.
func expositionVerb(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 0, "exposition")
	a := send(ts.Getenv("HTTP"), []string{http.MethodGet, "/metrics"})
	ts.Check(a.err)
	_, body, _ := strings.Cut(a.text, "\r\n#")
	p, err := parsePage("#" + body)
	ts.Check(err)
	lintPage(ts, "#"+body)
	var b strings.Builder
	slices.SortFunc(p.families, func(a, b *pageFamily) int { return strings.Compare(a.name, b.name) })
	for _, f := range p.families {
		fmt.Fprintf(&b, "%s%v %s: %s\n", f.name, f.labels(), f.kind, f.help)
	}
	golden.Compare(stageOf(ts).t, filepath.Join("testdata", "metrics.golden"), []byte(b.String()))
}

func TestPageParserIsStrict(t *testing.T) {
	head := "# HELP a Words.\n# TYPE a gauge\n"
	histogram := "# HELP h Words.\n# TYPE h histogram\n"
	for _, text := range []string{
		"", "a 1\n", head, head + "a 1", head + "a 1\na 1\n", head + "b 1\n", head + head + "a 1\n", "# TYPE a gauge\na 1\n", "# HELP a\n# TYPE a gauge\na 1\n",
		head + "a{x=\"1\",x=\"2\"} 1\n", head + "a{x=\"\\t\"} 1\n", head + "a{x=\"1\" } 1\n", head + "a{} 1\n", head + "a{1=\"\"} 1\n", head + "a x\n", head + "a 1 \n",
		head + "a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 1\n",
		"# HELP c Words.\n# TYPE c counter\nc -1\n",
		histogram + "h_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n",
		histogram + "h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
		histogram + "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 1\n",
		histogram + "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_count 1\n",
	} {
		if _, err := parsePage(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	p, err := parsePage(head + "a{x=\"\\\\\\\"\\n\"} 1\n" + histogram + "h_bucket{r=\"1\",le=\"1\"} 1\nh_bucket{r=\"1\",le=\"+Inf\"} 2\nh_sum{r=\"1\"} 1\nh_count{r=\"1\"} 2\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.names["a"].order[0].label("x"); got != "\\\"\n" {
		t.Errorf("label %q", got)
	}
}
