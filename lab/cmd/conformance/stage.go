package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/bridge"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// agent stands for the page's 800, which the lab does not have.
const agent = "811"

// patience is how long an effect may take to be seen.
const patience = 15 * time.Second

// stage is one Asterisk, the daemon beside it, and telephones.
type stage struct {
	lab           *lab.Lab
	receiver      *bridge.Receiver
	daemon        *bridge.Daemon
	plain, secure *url.URL
	dir           string
	certificate   string // file of the daemon's certificate
	phones        map[string]*phone.Phone
	outside       *phone.Phone      // the provider
	words         map[string]string // what the lines name as a shell's variables
	answer        answer            // to the present line
	agent, user   *socket           // of the second page's script
	closers       []func() error
}

// setUp starts everything. The stage is to be closed also when there is an error.
func setUp(ctx context.Context, version, binary string, log *slog.Logger) (s *stage, err error) {
	s = &stage{phones: map[string]*phone.Phone{}, words: map[string]string{}}
	if s.lab, err = lab.Start(ctx, lab.Options{Version: version, Logger: log}); err != nil {
		return s, err
	}
	s.closers = append(s.closers, s.lab.Close)
	if s.dir, err = os.MkdirTemp("", "dialbridge-conformance-"); err != nil {
		return s, err
	}
	s.closers = append(s.closers, func() error { return os.RemoveAll(s.dir) })
	if s.receiver, err = bridge.NewReceiver(ctx, s.lab.IP); err != nil {
		return s, err
	}
	s.closers = append(s.closers, s.receiver.Close)
	if err = s.startDaemon(ctx, binary); err != nil {
		return s, err
	}
	for _, number := range []string{"801", "802", "803", "806", "808", "809", agent} {
		if s.phones[number], err = s.lab.Phone(ctx, number); err != nil {
			return s, err
		}
	}
	if s.outside, err = s.lab.Trunk(ctx); err != nil {
		return s, err
	}
	return s, s.eventually(ctx, "all phones to be free", s.allFree)
}

// startDaemon runs the daemon with no WEBKEY, because the page's lines have no token, and with a TLS listener on the port
// that two of them use.
func (s *stage) startDaemon(ctx context.Context, binary string) (err error) {
	certificate, key, err := selfSigned(s.dir, s.lab.IP)
	if err != nil {
		return err
	}
	s.certificate = certificate
	extra := fmt.Sprintf("[http]\ntls_port = 8080\ntls_cert = %s\ntls_key = %s\n[ola_gateways]\n222 = %s/trunk, count=1\n[ivr]\nivr-610 = 610, working time\n",
		certificate, key, s.lab.Tech)
	start, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if s.daemon, err = bridge.Start(start, s.lab, bridge.Options{Binary: binary, Dir: s.dir, Receiver: s.receiver, Extra: extra}); err != nil {
		return err
	}
	s.closers = append(s.closers, s.daemon.Stop)
	s.secure = &url.URL{Scheme: "https", Host: s.lab.IP + ":8080"}
	s.plain, err = url.Parse(s.daemon.URL)
	return err
}

func (s *stage) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}

// described lists "METHOD path" of what the daemon says that it has.
func (s *stage) described(ctx context.Context) (map[string]bool, error) {
	code, body, err := s.daemon.Get(ctx, "/openapi.json")
	if err != nil {
		return nil, err
	}
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		return nil, fmt.Errorf("openapi.json: %d: %w", code, err)
	}
	has := map[string]bool{}
	for path, methods := range doc.Paths {
		for m := range methods {
			has[strings.ToUpper(m)+" "+path] = true
		}
	}
	return has, nil
}

// answer is what curl has got.
type answer struct {
	status int
	kind   string // Content-Type
	token  string // X-Auth-Token
	body   []byte
}

// curl runs a line by a shell, as a reader of the page would.
func (s *stage) curl(ctx context.Context, line string) (a answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	file, header := filepath.Join(s.dir, "answer"), filepath.Join(s.dir, "header")
	cmd := exec.CommandContext(ctx, "sh", "-c", line+` -s -S -o "$answer" -D "$header" -w '%{http_code} %{content_type}' --cacert "$certificate" --noproxy '*'`)
	cmd.Env = append(os.Environ(), "answer="+file, "header="+header, "certificate="+s.certificate)
	for name, value := range s.words {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return a, fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return a, err
	}
	if _, err := fmt.Sscan(string(out), &a.status); err != nil {
		return a, fmt.Errorf("curl printed %q: %w", out, err)
	}
	_, a.kind, _ = strings.Cut(string(out), " ")
	lines, err := os.ReadFile(header)
	for line := range strings.Lines(string(lines)) {
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "X-Auth-Token") {
			a.token = strings.TrimSpace(value)
		}
	}
	if err != nil {
		return a, err
	}
	a.body, err = os.ReadFile(file)
	return a, err
}

// do brings about the state, runs the line, and judges answer and effect.
func (s *stage) do(ctx context.Context, st step, line string, described map[string]bool) (r result) {
	method, path := endpoint(line)
	r = result{name: st.name, request: method + " " + path, status: "-"}
	if r.missing = !isDescribed(described, method, path); r.missing {
		r.body = errors.New("the daemon has no such endpoint")
		return r
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if st.before != nil {
		if r.effect = st.before(ctx, s); r.effect != nil {
			r.effect = fmt.Errorf("before it: %w", r.effect)
			return r
		}
	}
	if s.answer, r.body = s.curl(ctx, here(line, s.plain, s.secure)); r.body != nil {
		return r
	}
	r.status = fmt.Sprint(s.answer.status)
	if s.answer.status != 200 {
		r.body = fmt.Errorf("%d %s", s.answer.status, s.answer.body)
		return r
	}
	r.body = st.body(s)
	r.effect = st.effect(ctx, s)
	return errAfter(r, s.quiet(ctx, st.keep))
}

func errAfter(r result, err error) result {
	if err != nil && r.effect == nil {
		r.effect = fmt.Errorf("after it: %w", err)
	}
	return r
}

// quiet ends all calls, unless the next step goes on with them.
func (s *stage) quiet(ctx context.Context, keep bool) error {
	if keep {
		return nil
	}
	var errs []error
	for _, p := range s.phones {
		for _, c := range p.Calls() {
			errs = append(errs, c.Hangup(ctx))
		}
		p.Behave(phone.Behaviour{})
	}
	for _, c := range s.outside.Calls() {
		errs = append(errs, c.Hangup(ctx))
	}
	return errors.Join(append(errs, s.eventually(ctx, "all phones to be free", s.allFree))...)
}
