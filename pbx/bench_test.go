package pbx

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// BenchmarkApply puts a capture of an Asterisk under load into the picture. The ratio compares with the least that any
// reader does, splitting the same bytes into lines.
func BenchmarkApply(b *testing.B) {
	raw := loadSample(b)
	var wanted []ami.Message
	all := 0
	for r := ami.NewReader(bytes.NewReader(raw)); ; all++ {
		m, err := r.Next()
		if err != nil {
			break
		}
		if Wanted(m.Event()) {
			wanted = append(wanted, m)
		}
	}
	rules := testRules()
	b.ReportAllocs()
	for b.Loop() {
		s := newState(&rules)
		at := time.Unix(1795286000, 0)
		for _, m := range wanted {
			s.apply(m, at)
			s.out = s.out[:0]
		}
	}
	perRun := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(float64(all)/perRun, "events/s")
	b.ReportMetric(splitTime(raw)/perRun, "x-lines")
}

func loadSample(b *testing.B) []byte {
	b.Helper()
	f, err := os.Open("../ami/testdata/load22.ami.gz")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		b.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		b.Fatal(err)
	}
	return raw
}

// splitTime is how many seconds bufio.Scanner takes to split the bytes into lines.
func splitTime(raw []byte) float64 {
	const rounds = 5
	began := time.Now()
	for range rounds {
		s := bufio.NewScanner(bytes.NewReader(raw))
		for s.Scan() {
			continue
		}
	}
	return time.Since(began).Seconds() / rounds
}
