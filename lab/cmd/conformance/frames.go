package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// socket is a connection of the second page's script.
type socket struct {
	conn   *websocket.Conn
	inbox  chan []byte // what was sent here; closed when the connection ends
	events []event     // told, and not looked at yet
}

// event is one that is no answer, as it came and as far as the steps look at it.
type event struct {
	text    []byte
	Type    string `json:"event_type"`
	State   string
	Dtmf    string
	Private string `json:"private_data"`
	Accept  string `json:"call_accept"`
	Action  string
	Caller  struct{ UUID string }
}

// does is what an event is about, in a word or two.
func (e event) does() string {
	if e.Type == "agent_caller_state" {
		return "caller " + e.Action
	}
	return strings.TrimSpace(e.State + " " + e.Private)
}

// reply is the answer to a frame. Scripts look at one or the other of the first two.
type reply struct {
	Name   string `json:"event_name"`
	Type   string `json:"event_type"`
	Cmd    string `json:"cmd"`
	UUID   string `json:"uuid"`
	Code   int    `json:"code"`
	Result string `json:"result"`
}

// connect opens a socket. It is closed with the stage.
func (s *stage) connect(ctx context.Context) (*socket, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws://"+s.plain.Host+"/ola_socket", nil) //nolint:bodyclose // the socket is what there is to close
	if err != nil {
		return nil, err
	}
	so := &socket{conn: conn, inbox: make(chan []byte, 4096)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(so.inbox)
		for {
			_, text, err := conn.Read(context.Background())
			if err != nil {
				return
			}
			so.inbox <- text
		}
	}()
	s.closers = append(s.closers, func() error {
		_ = conn.CloseNow() // however it ends, it has ended
		<-done
		return nil
	})
	return so, nil
}

// receive waits for the next thing that is sent here.
func (so *socket) receive(ctx context.Context) ([]byte, error) {
	select {
	case text, ok := <-so.inbox:
		if !ok {
			return nil, errors.New("the daemon has closed the socket")
		}
		return text, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// send sends a frame and waits for its answer; what else comes is kept.
func (so *socket) send(ctx context.Context, frame string) (r reply, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := so.conn.Write(ctx, websocket.MessageText, []byte(frame)); err != nil {
		return r, err
	}
	for {
		text, err := so.receive(ctx)
		if err != nil {
			return r, fmt.Errorf("waiting for the answer: %w", err)
		}
		r = reply{}
		if err := json.Unmarshal(text, &r); err != nil {
			return r, fmt.Errorf("%w: %s", err, text)
		}
		if r.Type == "command/reply" {
			return r, nil
		}
		if err := so.keep(text); err != nil {
			return r, err
		}
	}
}

func (so *socket) keep(text []byte) error {
	e := event{text: text}
	if err := json.Unmarshal(text, &e); err != nil {
		return fmt.Errorf("%w: %s", err, text)
	}
	if e.Type == "agent_state" { // each of them is to be as the page prints it
		if err := likeSample(eventSample, text); err != nil {
			return err
		}
	}
	so.events = append(so.events, e)
	return nil
}

// told waits for an event, and forgets those before it.
func (so *socket) told(ctx context.Context, want string) (event, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var before []string
	for {
		for len(so.events) > 0 {
			e := so.events[0]
			so.events = so.events[1:]
			if e.does() == want {
				return e, nil
			}
			before = append(before, e.does())
		}
		text, err := so.receive(ctx)
		if err == nil {
			err = so.keep(text)
		}
		if err != nil {
			return event{}, fmt.Errorf("waiting for the event %q, told was %q: %w", want, before, err)
		}
	}
}

// frameStep is a method of the second page's script, in a state in which it must succeed.
type frameStep struct {
	line   int // of the methods, from 1
	name   string
	user   bool                                // sent by one who may steer all extensions
	before func(context.Context, *stage) error // the state
	effect func(context.Context, *stage) error // what is wrong with Asterisk, the phones or what was told
	keep   bool                                // the calls go on
}

// doFrame brings about the state, sends the frame if the method has one, and judges answer and effect.
func (s *stage) doFrame(ctx context.Context, st frameStep, line string) (r result) {
	method, frame, hasFrame := strings.Cut(line, " {")
	r = result{name: st.name, request: method, status: "-"}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if st.before != nil {
		if r.effect = st.before(ctx, s); r.effect != nil {
			r.effect = fmt.Errorf("before it: %w", r.effect)
			return r
		}
	}
	if hasFrame {
		so := s.agent
		if st.user {
			so = s.user
		}
		if so == nil {
			r.body = errors.New("no socket is open")
			return r
		}
		frame = os.Expand("{"+frame, func(name string) string { return s.words[name] })
		got, err := so.send(ctx, frame)
		if r.status = fmt.Sprint(got.Code); err != nil {
			r.body = err
			return r
		}
		if r.body = answers(frame, got); r.body != nil {
			return r
		}
	}
	r.effect = st.effect(ctx, s)
	return errAfter(r, s.quiet(ctx, st.keep))
}

// answers wants success, and an answer that tells which frame it is to.
func answers(frame string, got reply) error {
	var sent struct{ Cmd, UUID string }
	if err := json.Unmarshal([]byte(frame), &sent); err != nil {
		return err
	}
	want := reply{Name: "command/reply", Type: "command/reply", Cmd: sent.Cmd, UUID: sent.UUID, Code: 200, Result: "ok"}
	if sent.Cmd == "ping" {
		want.Result = "pong"
	}
	if got != want {
		return fmt.Errorf("%+v, want %+v", got, want)
	}
	return nil
}
