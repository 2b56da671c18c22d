package webhook

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const token = "SECRETTOKEN12345"

// rawServer answers connections by hand.
func rawServer(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			answer(c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
	})
	return "http://" + l.Addr().String()
}

// readRequest reads a request's head and body from a connection.
func readRequest(c net.Conn) {
	if req, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
		_, _ = io.Copy(io.Discard, req.Body)
	}
}

// write sends what the peer will take.
func write(c net.Conn, s string) bool {
	_, err := io.WriteString(c, s)
	return err == nil
}

// Every way in which a receiver can fail ends the attempt as failed, in bounded time, and tells why without the URL's token.
func TestFaultyReceivers(t *testing.T) {
	for name, tc := range map[string]struct {
		answer func(net.Conn)
		class  string
		text   string
	}{
		"accepts and never answers": {func(c net.Conn) { readRequest(c); _, _ = io.Copy(io.Discard, c) }, "timeout", "no answer in time"},
		"closes at once":            {func(net.Conn) {}, "network", ""},
		"closes after the request":  {readRequest, "network", "EOF"},
		"resets": {func(c net.Conn) {
			readRequest(c)
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
		}, "network", "reset"},
		"answers garbage":     {func(c net.Conn) { readRequest(c); write(c, "hello?\r\n\r\n") }, "network", "malformed"},
		"answers half a head": {func(c net.Conn) { readRequest(c); write(c, "HTTP/1.1 200 OK\r\nA: b") }, "network", "EOF"},
		"sends headers without end": {func(c net.Conn) {
			readRequest(c)
			write(c, "HTTP/1.1 200 OK\r\n")
			for write(c, "X-Filler: "+strings.Repeat("x", 8000)+"\r\n") {
			}
		}, "network", "header"},
		"speaks TLS where HTTP is wanted": {func(c net.Conn) { write(c, "\x15\x03\x01\x00\x02\x02\x46") }, "network", ""},
	} {
		t.Run(name, func(t *testing.T) {
			url := rawServer(t, tc.answer)
			r := newRig(t, rigOptions{})
			r.send(Target{URL: url + "/hook?token=" + token, Timeout: 200 * time.Millisecond})
			r.put(event("a", 0))
			r.waitFor("failure", func() bool { return r.sender.State().Failures > 0 })
			r.stopSender()
			got := r.show("a-0")
			if got.State != "pending" || got.LastStatus != 0 || !strings.Contains(got.LastError, tc.text) || got.LastError == "" {
				t.Errorf("stored %+v", got)
			}
			if n := r.sender.Counters().Attempts[tc.class]; n == 0 {
				t.Errorf("counted as %v, want %s", r.sender.Counters().Attempts, tc.class)
			}
			r.noToken(got)
		})
	}
}

// noToken looks for the token wherever someone could read it.
func (r *rig) noToken(records ...Record) {
	r.t.Helper()
	all := r.log.String() + fmt.Sprintf("%+v %+v %+v", r.sender.State(), r.status(), r.sender.Counters())
	for _, rec := range records {
		all += fmt.Sprintf("%+v %s", rec, rec.Answer)
	}
	if strings.Contains(all, token) {
		r.t.Errorf("the token is shown:\n%s", all)
	}
}

// A 200 is delivery whatever comes after it, and an answer without end costs neither memory nor time.
func TestEndlessAnswers(t *testing.T) {
	stop := make(chan struct{})
	for name, answer := range map[string]func(net.Conn){
		"endless body": func(c net.Conn) {
			readRequest(c)
			write(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
			for write(c, strings.Repeat("x", 1<<16)) {
			}
		},
		"a byte now and then": func(c net.Conn) {
			readRequest(c)
			write(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
			for write(c, "x") {
				select {
				case <-time.After(100 * time.Millisecond):
				case <-stop:
					return
				}
			}
		},
		"body cut off": func(c net.Conn) {
			readRequest(c)
			write(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
		},
	} {
		t.Run(name, func(t *testing.T) {
			url := rawServer(t, answer)
			r := newRig(t, rigOptions{})
			r.send(Target{URL: url})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r.put(events("a", 2)...)
			r.waitFor("delivery", func() bool { return r.status().Total.Delivered == 2 })
			runtime.ReadMemStats(&after)
			if grown := int64(after.TotalAlloc - before.TotalAlloc); grown > 32<<20 {
				t.Errorf("%d bytes allocated", grown)
			}
		})
	}
	close(stop)
}

// A redirect is never delivery and never followed; the alarm names where the URL has moved to.
func TestRedirects(t *testing.T) {
	var followed atomic.Int32
	other := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	for _, status := range []int{300, 301, 302, 303, 304, 305, 307, 308} {
		srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", other.URL+"/new?token="+token)
			w.WriteHeader(status)
		}))
		r := newRig(t, rigOptions{})
		r.send(Target{URL: srv.URL + "/?token=" + token})
		r.put(event("a", 0))
		r.waitFor("failure", func() bool { return r.sender.State().Failures > 0 })
		r.stopSender()
		got := r.show("a-0")
		if got.State != "pending" || got.LastStatus != status || !strings.Contains(got.LastError, "moved to "+other.URL+"/new") {
			t.Errorf("%d: %+v", status, got)
		}
		r.noToken(got)
	}
	if followed.Load() != 0 {
		t.Errorf("%d redirects were followed", followed.Load())
	}
}

// A receiver that closes each connection after its answer, announced or not, costs no failed attempt: a POST that meets a
// connection closed meanwhile is sent again on a new one.
func TestClosedConnectionsAreNoFailures(t *testing.T) {
	for name, header := range map[string]string{"announced": "Connection: close\r\n", "not announced": ""} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int32
			url := rawServer(t, func(c net.Conn) {
				readRequest(c)
				n.Add(1)
				write(c, "HTTP/1.1 200 OK\r\n"+header+"Content-Length: 0\r\n\r\n")
			})
			r := newRig(t, rigOptions{})
			r.send(Target{URL: url, Concurrency: 1})
			r.put(events("a", 100)...)
			r.waitFor("delivery", func() bool { return r.status().Total.Delivered == 100 })
			if a := r.sender.Counters().Attempts; a["2xx"] != 100 || a["network"] > 1 {
				t.Errorf("attempts %v", a)
			}
		})
	}
}

// Certificate errors are the endpoint's: the customer will renew it.
func TestCertificates(t *testing.T) {
	rec := newReceiver(nil)
	srv := httptest.NewUnstartedServer(rec)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	for name, tc := range map[string]struct {
		conf *tls.Config
		ok   bool
	}{
		"unknown authority": {nil, false},
		"wrong name":        {&tls.Config{RootCAs: roots, ServerName: "other.test", MinVersion: tls.VersionTLS12}, false},
		"expired":           {&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, Time: func() time.Time { return time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC) }}, false},
		"good":              {&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, true},
	} {
		r := newRig(t, rigOptions{sender: SenderOptions{TLS: tc.conf}})
		r.send(Target{URL: srv.URL})
		r.put(Event{ID: strings.ReplaceAll(name, " ", "-"), Kind: "cdr", Body: []byte("{}")})
		if tc.ok {
			r.waitFor("delivery", func() bool { return r.status().Total.Delivered == 1 })
			continue
		}
		r.waitFor("failure", func() bool { return r.sender.State().Failures > 0 })
		if n := r.sender.Counters().Attempts["tls"]; n == 0 {
			t.Errorf("%s: counted as %v", name, r.sender.Counters().Attempts)
		}
		if s := r.status(); s.Total.Pending != 1 || s.Total.Dead != 0 {
			t.Errorf("%s: %+v", name, s.Total)
		}
		r.close()
	}
	if len(rec.all()) != 1 {
		t.Errorf("%d requests reached the handler, want the good one", len(rec.all()))
	}
}

func TestUnreachable(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for class, url := range map[string]string{
		"refused": gone.URL, "dns": "http://user:" + token + "@nowhere.invalid/x?k=" + token, "network": "http://169.254.169.254/latest",
	} {
		r := newRig(t, rigOptions{})
		r.send(Target{URL: url, Timeout: 5 * time.Second})
		r.put(event("a", 0))
		r.waitFor("failure", func() bool { return r.sender.State().Failures > 0 })
		if n := r.sender.Counters().Attempts[class]; n == 0 {
			t.Errorf("%s: counted as %v, %+v", class, r.sender.Counters().Attempts, r.sender.State())
		}
		r.noToken(r.show("a-0"))
		r.close()
	}
}

// The receiver may repeat the whole request in its error page.
func TestAnswerIsKeptWithoutSecrets(t *testing.T) {
	srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, "cannot take %s from %s %s", req.URL.RequestURI(), req.Header.Get("Authorization"), strings.Repeat("x", 5000))
	}))
	r := newRig(t, rigOptions{})
	r.send(Target{URL: srv.URL + "/in?token=" + token + "&x=1", PoisonAttempts: 1, PoisonSpan: time.Nanosecond, RetryMax: time.Millisecond})
	r.put(event("a", 0))
	r.waitFor("dead letter", func() bool { return r.status().Total.Dead == 1 })
	got := r.show("a-0")
	if !strings.HasPrefix(string(got.Answer), "cannot take /in?***") || len(got.Answer) > keptAnswer {
		t.Errorf("answer kept as %q", got.Answer)
	}
	r.noToken(got)
}

// An answer that comes after the timeout means a second delivery under the same id, never a loss.
func TestLateAnswerIsSentAgain(t *testing.T) {
	rec := newReceiver(nil)
	var n atomic.Int32
	leave := make(chan struct{})
	slow := serve(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if n.Add(1) == 1 {
			<-leave
		}
		rec.ServeHTTP(w, req)
	}))
	r := newRig(t, rigOptions{})
	r.send(Target{URL: slow.URL, Timeout: 50 * time.Millisecond, RetryMax: 10 * time.Millisecond})
	r.put(event("a", 0))
	r.waitFor("delivery", func() bool { return r.status().Total.Delivered == 1 })
	close(leave)
	r.waitFor("the late answer", func() bool { return len(rec.all()) == 2 })
	for _, a := range rec.all() {
		if a.id != "a-0" {
			t.Errorf("id %s", a.id)
		}
	}
}

// Memory does not grow with the queue: a long backlog, half of it behind one stuck key and many keys failing, stays within the
// window.
func TestMemoryOfALongQueue(t *testing.T) { synctest.Test(t, testMemoryOfALongQueue) }

func testMemoryOfALongQueue(t *testing.T) {
	rec := newReceiver(func(a *arrival, _ http.Header) int {
		if a.key == "stuck" || a.n%2 == 1 {
			return 500
		}
		return 200
	})
	r := newRig(t, rigOptions{transport: rec})
	for i := range 200 {
		batch := make([]Event, 0, 100)
		for j := range 50 {
			n := i*50 + j
			batch = append(batch, event("stuck", n), event(fmt.Sprint("k", n), n))
		}
		r.put(batch...)
	}
	if err := r.sender.Configure(Target{URL: "http://receiver.test/", RetryMax: time.Hour}); err != nil {
		t.Fatal(err)
	}
	l := newLoop(context.Background(), r.sender)
	defer l.stop()
	most := 0
	for range 50000 {
		l.hear()
		l.fill()
		wait := l.launch(time.Now())
		if wait > 0 && l.inFlight == 0 && l.caughtUp && len(l.ready) == 0 {
			break
		}
		l.sleep(context.Background(), min(wait, time.Millisecond))
		most = max(most, l.loaded)
	}
	if err := l.finish(func() {}); err != nil {
		t.Fatal(err)
	}
	if most > 2*window+chunkRows {
		t.Errorf("%d events in memory, the window is %d", most, window)
	}
	if s := r.status(); s.Total.Delivered != 5000 {
		t.Errorf("%d delivered, want the 5000 that are not refused", s.Total.Delivered)
	}
	r.close()
}
