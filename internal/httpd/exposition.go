package httpd

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// mimeExposition is the text format of Prometheus.
const mimeExposition = "text/plain; version=0.0.4; charset=utf-8"

// Exposition is the page of /metrics while it is made: metrics may come in any order, and are written by families. A
// family is of one type and has one help; labels are pairs of name and value, in the order of their names.
type Exposition struct{ families map[string]*family }

type family struct {
	kind, help string
	series     []series
}

// series are the lines with the same labels.
type series struct{ labels, lines string }

// Quantile is one of a summary.
type Quantile struct{ Quantile, Value float64 }

// Gauge adds a number that goes up and down.
func (e *Exposition) Gauge(name, help string, value float64, labels ...string) {
	e.add("gauge", name, help, labels, sample(nil, name, labelText(labels), value))
}

// Counter adds a number that only grows.
func (e *Exposition) Counter(name, help string, value float64, labels ...string) {
	e.add("counter", name, help, labels, sample(nil, name, labelText(labels), value))
}

// Summary adds quantiles, and the sum and the number of what was observed.
func (e *Exposition) Summary(name, help string, quantiles []Quantile, sum float64, count uint64, labels ...string) {
	var b []byte
	for _, q := range quantiles {
		b = sample(b, name, labelText(slices.Concat(labels, []string{"quantile", number(q.Quantile)})), q.Value)
	}
	e.add("summary", name, help, labels, total(b, name, labels, sum, count))
}

// Histogram adds what was observed by upper bounds: counts has one number for each bound, of what lies above the bound
// before and not above this one, and one more for what lies above the last.
func (e *Exposition) Histogram(name, help string, bounds []float64, counts []uint64, sum float64, labels ...string) {
	var b []byte
	var below uint64
	for i, n := range counts {
		bound := math.Inf(1)
		if i < len(bounds) {
			bound = bounds[i]
		}
		below += n
		b = sample(b, name+"_bucket", labelText(slices.Concat(labels, []string{"le", number(bound)})), float64(below))
	}
	e.add("histogram", name, help, labels, total(b, name, labels, sum, below))
}

func (e *Exposition) add(kind, name, help string, labels []string, lines []byte) {
	if e.families == nil {
		e.families = map[string]*family{}
	}
	f := e.families[name]
	if f == nil {
		f = &family{kind: kind, help: help}
		e.families[name] = f
	}
	f.series = append(f.series, series{labelText(labels), string(lines)})
}

// text is the page, always in the same order.
func (e *Exposition) text() []byte {
	names := make([]string, 0, len(e.families))
	for name := range e.families {
		names = append(names, name)
	}
	slices.Sort(names)
	var b []byte
	for _, name := range names {
		f := e.families[name]
		b = append(b, "# HELP "+name+" "+helpEscaper.Replace(f.help)+"\n# TYPE "+name+" "+f.kind+"\n"...)
		slices.SortStableFunc(f.series, func(a, b series) int { return strings.Compare(a.labels, b.labels) })
		for _, s := range f.series {
			b = append(b, s.lines...)
		}
	}
	return b
}

// total ends a summary or a histogram.
func total(b []byte, name string, labels []string, sum float64, count uint64) []byte {
	text := labelText(labels)
	return sample(sample(b, name+"_sum", text, sum), name+"_count", text, float64(count))
}

func sample(b []byte, name, labels string, value float64) []byte {
	return append(b, name+labels+" "+number(value)+"\n"...)
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// The format escapes these and nothing else.
var (
	valueEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	helpEscaper  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
)

func labelText(labels []string) string {
	if len(labels) == 0 {
		return ""
	}
	var b strings.Builder
	for i := 0; i+1 < len(labels); i += 2 {
		b.WriteByte("{,"[min(i, 1)])
		b.WriteString(labels[i] + `="` + valueEscaper.Replace(strings.ToValidUTF8(labels[i+1], "\uFFFD")) + `"`)
	}
	return b.String() + "}"
}
