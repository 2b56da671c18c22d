package ari

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// benchmarkDecode measures a way to look at the captured events. x_faster_than_encoding/json is its speed as a multiple of
// that of encoding/json into a small struct, measured in turns in the same run; more is better.
func benchmarkDecode(b *testing.B, look func(line []byte)) {
	var lines [][]byte
	size := 0
	for _, line := range captured(b) {
		lines = append(lines, []byte(line))
		size += len(line)
	}
	b.ReportAllocs()
	b.SetBytes(int64(size / len(lines)))
	// The machine's speed changes while others use it, so the two take turns.
	n, rounds, judge := 0, 0, time.Duration(0)
	for b.Loop() {
		look(lines[n%len(lines)])
		if n++; n%4096 == 0 {
			b.StopTimer()
			begin := time.Now()
			for range 64 {
				decodeJSON(lines[rounds%len(lines)])
				rounds++
			}
			judge += time.Since(begin)
			b.StartTimer()
		}
	}
	took := float64(b.Elapsed()) / float64(n)
	b.ReportMetric(float64(time.Second)/took/1e3, "kevents/s")
	b.ReportMetric(float64(judge)/float64(max(rounds, 1))/took, "x_faster_than_encoding/json")
}

func decodeJSON(line []byte) {
	var body jsonBody
	if err := json.Unmarshal(line, &body); err != nil {
		panic(err)
	}
}

func BenchmarkDecode(b *testing.B) {
	b.Run("encoding_json_struct", func(b *testing.B) { benchmarkDecode(b, decodeJSON) })
	b.Run("encoding_json_type_only", func(b *testing.B) {
		benchmarkDecode(b, func(line []byte) {
			var head struct{ Type, Timestamp string }
			if err := json.Unmarshal(line, &head); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("scan_type", func(b *testing.B) {
		benchmarkDecode(b, func(line []byte) {
			if len(member(line, "type")) == 0 {
				b.Fatal("no type")
			}
		})
	})
	b.Run("scan_type_and_time", func(b *testing.B) {
		benchmarkDecode(b, func(line []byte) {
			if len(member(line, "type")) == 0 || parseTime(inner(member(line, "timestamp"))).IsZero() {
				b.Fatal("no type or time")
			}
		})
	})
	b.Run("scan_all", func(b *testing.B) {
		benchmarkDecode(b, func(line []byte) {
			if _, err := (Event{Raw: string(line)}).Decode(); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("scan_all_of_one_type_in_ten", func(b *testing.B) {
		benchmarkDecode(b, func(line []byte) {
			if string(inner(member(line, "type"))) != "ChannelStateChange" && string(inner(member(line, "type"))) != "ChannelDestroyed" {
				return
			}
			if _, err := (Event{Raw: string(line)}).Decode(); err != nil {
				b.Fatal(err)
			}
		})
	})
}

// frames is the captured events but ApplicationReplaced as one run of WebSocket frames, and how many they are.
func frames(b *testing.B) (wire []byte, n int) {
	b.Helper()
	for _, line := range captured(b) {
		if !strings.Contains(line, "ApplicationReplaced") {
			wire = append(wire, 0x81, 126, byte(len(line)>>8), byte(len(line)))
			wire = append(wire, line...)
			n++
		}
	}
	return wire, n
}

// serveFrames answers a handshake and then sends wire rounds times, and an event "End".
func serveFrames(conn net.Conn, wire []byte, rounds int, start <-chan struct{}) error {
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return err
	}
	sum := sha1.Sum([]byte(request.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	<-start
	for range rounds {
		if err == nil {
			_, err = conn.Write(wire)
		}
	}
	if err == nil {
		_, err = conn.Write([]byte("\x81\x0e{\"type\":\"End\"}"))
	}
	return err
}

// benchmarkClient is the whole way from the socket to who takes the batches.
func benchmarkClient(b *testing.B, want func(string) bool, use func(Event)) {
	wire, events := frames(b)
	start := make(chan struct{})
	served := make(chan error, 1)
	c := New(Options{URL: "http://x/ari", Application: "a", Queue: 1 << 40, Want: want,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			near, far, err := socketPair()
			if err != nil {
				return nil, err
			}
			b.Cleanup(func() { _ = far.Close() })
			go func() { served <- serveFrames(far, wire, b.N, start) }()
			return near, nil
		}})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	<-c.Stream()
	b.ReportAllocs()
	b.ResetTimer()
	close(start)
	for end := false; !end; {
		for _, item := range <-c.Stream() {
			use(item.Event)
			end = end || item.Event.Type == "End"
		}
	}
	b.StopTimer()
	cancel()
	for range c.Stream() {
		continue
	}
	if err := errors.Join(<-served, <-ended); err != nil {
		b.Fatal(err)
	}
	if s := c.Stats(); s.Events+s.Unwanted != uint64(b.N*events+1) || s.Connections != 1 {
		b.Fatalf("stats %+v of %d events", s, b.N*events+1)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*events), "ns/event")
	b.ReportMetric(float64(b.N*events)/b.Elapsed().Seconds()/1e3, "kevents/s")
}

// socketPair is two ends of a TCP connection.
func socketPair() (near, far net.Conn, err error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = listener.Close() }()
	if near, err = (&net.Dialer{}).DialContext(context.Background(), "tcp", listener.Addr().String()); err != nil {
		return nil, nil, err
	}
	far, err = listener.Accept()
	return near, far, err
}

func BenchmarkClientAll(b *testing.B) { benchmarkClient(b, nil, func(Event) {}) }

func BenchmarkClientAllDecoded(b *testing.B) {
	benchmarkClient(b, nil, func(e Event) {
		if _, err := e.Decode(); err != nil {
			b.Error(err)
		}
	})
}

func BenchmarkClientWantedDecoded(b *testing.B) {
	benchmarkClient(b, wanted, func(e Event) {
		if _, err := e.Decode(); err != nil {
			b.Error(err)
		}
	})
}

// wanted is about what a daemon that has channels in Stasis asks for.
func wanted(kind string) bool {
	switch kind {
	case "End", "StasisStart", "StasisEnd", "ChannelDestroyed", "ChannelStateChange", "ChannelHangupRequest", "PlaybackFinished",
		"RecordingFinished", "RecordingFailed", "ChannelLeftBridge", "ChannelEnteredBridge":
		return true
	}
	return false
}
