package ola

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// monitor lets extn listen to dest; with three_way it brings dest into the call of extn.
func (s *session) monitor(ctx context.Context, f *frame) (func(), error) {
	three, err := f.truth("three_way")
	if err != nil {
		return nil, err
	}
	if !three {
		return spying(pbx.Listen)(s, ctx, f)
	}
	n, err := s.self(f)
	if err != nil {
		return nil, err
	}
	third, err := f.need("dest")
	if err != nil {
		return nil, err
	}
	return nil, s.api.sw.ThreeWay(ctx, third, n)
}

// spying makes a command by which extn takes part in the call of dest. The document's client and the document itself have the two the
// other way round: where dest has no call and extn has one, they are exchanged.
func spying(mode pbx.SpyMode) command {
	return func(s *session, ctx context.Context, f *frame) (func(), error) {
		by, on, err := s.pair(f)
		if err != nil {
			return nil, err
		}
		if err = s.api.sw.Spy(ctx, pbx.SpyRequest{By: by, On: on, Mode: mode}); errors.Is(err, pbx.ErrNoCall) {
			if swapped := s.api.sw.Spy(ctx, pbx.SpyRequest{By: on, On: by, Mode: mode}); !errors.Is(swapped, pbx.ErrNoCall) {
				err = swapped
			}
		}
		return nil, err
	}
}

// unmonitor ends the listening of extn, or takes extn out of the call that it was brought into. An agent may do the latter in his own
// call, and does not learn who listens to him.
func (s *session) unmonitor(ctx context.Context, f *frame) (func(), error) {
	extn, err := f.need("extn")
	switch {
	case err != nil:
		return nil, err
	case s.who.user:
		return nil, s.api.sw.StopSpying(ctx, pbx.Exten(extn))
	}
	return nil, s.api.sw.EndThreeWay(ctx, pbx.Exten(extn), s.who.exten)
}

// intercept lets extn take over the call of dest.
func (s *session) intercept(ctx context.Context, f *frame) (func(), error) {
	by, from, err := s.pair(f)
	if err != nil {
		return nil, err
	}
	return nil, s.api.sw.Intercept(ctx, by, from)
}

// pair reads whom a user lets take part in whose call.
func (s *session) pair(f *frame) (extn, dest pbx.Exten, err error) {
	if err := s.onlyUsers(); err != nil {
		return "", "", err
	}
	by, err := f.need("extn")
	if err != nil {
		return "", "", err
	}
	on, err := f.need("dest")
	return pbx.Exten(by), pbx.Exten(on), err
}

// takeCall lets an agent take a caller out of the queue.
func (s *session) takeCall(ctx context.Context, f *frame) (func(), error) {
	n, err := s.self(f)
	if err != nil {
		return nil, err
	}
	id, err := f.need("channel_uuid", "uuid")
	if err != nil {
		return nil, err
	}
	if !s.who.user && !s.api.sockets.waits(id, s.api.sockets.agent(n).Queues) {
		return nil, &httpd.Error{Status: http.StatusNotFound, Message: "no such caller in your queues"}
	}
	return nil, s.api.sw.TakeCall(ctx, n, id)
}

// kill ends a channel, or all calls of an agent. What is no channel's id and an extension's number is taken for the latter: the
// document's client sends it under another name.
func (s *session) kill(ctx context.Context, f *frame) (func(), error) {
	id, err := f.value("channel_uuid", "uuid")
	if err != nil {
		return nil, err
	}
	if id == "" {
		return s.killAgent(ctx, f)
	}
	if !s.who.user {
		if x := s.api.sockets.agent(s.who.exten); id != x.Call.Channel && id != x.Call.Other {
			return nil, &httpd.Error{Status: http.StatusNotFound, Message: textNoCall}
		}
	}
	err = s.api.sw.EndChannel(ctx, id, 0)
	if errors.Is(err, pbx.ErrNotFound) {
		err = fmt.Errorf("%w: %s", pbx.ErrNoCall, id)
	}
	return nil, err
}

func (s *session) killAgent(ctx context.Context, f *frame) (func(), error) {
	n, err := f.value("extn", "cause")
	switch {
	case err != nil:
		return nil, err
	case n == "":
		return nil, unusable("missing parameter: channel_uuid or extn")
	case !s.who.user && pbx.Exten(n) != s.who.exten:
		return nil, notYours()
	}
	return nil, s.api.endCalls(ctx, pbx.Exten(n))
}

// collect plays a prompt to whom an agent talks to, and collects the keys that he presses.
func (s *session) collect(ctx context.Context, f *frame) (func(), error) {
	n, err := s.self(f)
	if err != nil {
		return nil, err
	}
	prompt, err := f.need("soundfile", "soundFile")
	if err != nil {
		return nil, err
	}
	return nil, s.api.sw.Collect(ctx, n, prompt)
}
