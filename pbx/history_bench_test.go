package pbx

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

const aMillion = 1_000_000

// million is a file with a million calls of 31 days, one after the other, each with an account of usual size and two agents of a hundred.
func million(b *testing.B) *archive {
	b.Helper()
	a := newArchive(b, filepath.Join(b.TempDir(), "test.db"))
	start := time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC)
	body := make([]byte, 0, 2048)
	for from := 0; from < aMillion; from += 10_000 {
		a.must(a.db.Do(context.Background(), func(tx *sql.Tx) error {
			for i := from; i < from+10_000; i++ {
				account := dayOfCalls()[i%8]
				account.ID, account.Caller, account.CallerName = CallID(fmt.Sprint(i)), fmt.Sprintf("138%08d", i%20_000), "Ann"
				account.Start = start.Add(time.Duration(i) * (LongestStatistics / aMillion))
				account.End, account.Recording = account.Start.Add(time.Minute), "/var/spool/asterisk/monitor/x.wav"
				for range 5 {
					account.Spans = append(account.Spans, Span{Kind: SpanRing, Channel: "1795286308.1", Party: "801", Exten: "801", Place: "630", Start: account.Start, End: account.End})
				}
				account.Agents = []Share{{Exten: Exten(fmt.Sprint(800 + i%100)), Queue: "630", Rings: 1}, {Exten: Exten(fmt.Sprint(900 + i%7)), Queue: "630", Rings: 1, Answered: true, Talk: time.Minute}}
				var err error
				if body, err = json.Marshal(account); err != nil {
					return err
				}
				f := finishedCall{a: account, body: body}
				if err := f.insert(tx); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	info := a.db.Stats()
	b.Logf("%d MiB for %d calls", info.FileBytes>>20, aMillion)
	return a
}

// BenchmarkMillionCalls asks a file with a million calls for what the console's pages ask for.
func BenchmarkMillionCalls(b *testing.B) {
	a := million(b)
	yes := true
	count := func(b *testing.B, f CallFilter, want int) {
		for b.Loop() {
			n := 0
			a.must(a.sw.Latest(context.Background(), f, CallPlace{}, func(*EndedCall) error {
				n++
				return nil
			}))
			if n != want {
				b.Fatalf("%d calls, want %d", n, want)
			}
		}
	}
	for name, f := range map[string]CallFilter{
		"newest": {Limit: 50}, "of an agent": {Limit: 50, Exten: "803"}, "of a queue": {Limit: 50, Queue: "631"},
		"recorded and answered": {Limit: 50, Recorded: &yes, Answered: &yes}, "by a number": {Limit: 50, Number: "13800000777"},
		"text in a number": {Limit: 50, Text: "19999"},
	} {
		b.Run(name, func(b *testing.B) { count(b, f, 50) })
	}
	b.Run("text that is nowhere", func(b *testing.B) { count(b, CallFilter{Limit: 50, Text: "nobody"}, 0) })
	b.Run("number that is nowhere", func(b *testing.B) { count(b, CallFilter{Limit: 50, Number: "nobody"}, 0) })
	b.Run("export of 10,000", func(b *testing.B) { count(b, CallFilter{Limit: 10_000}, 10_000) })
	start := time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC)
	for name, f := range map[string]StatisticsFilter{
		"statistics of a day":   {From: start, To: start.Add(24 * time.Hour), Zone: time.UTC},
		"statistics of 31 days": {From: start, To: start.Add(LongestStatistics), Zone: time.UTC},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				st, err := a.sw.Statistics(context.Background(), f)
				if err != nil || st.Total.Calls == 0 {
					b.Fatal(st.Total, err)
				}
			}
		})
	}
}
