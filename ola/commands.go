package ola

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// command does one command of a socket. after, where it is not nil, sends what follows the answer.
type command func(s *session, ctx context.Context, f *frame) (after func(), err error)

// commands are those of the document, and of the client that goes with it, by their names.
var commands = map[string]command{
	"subscribe":       (*session).subscribe,
	"unsubscribe":     (*session).unsubscribe,
	"get_agent_state": (*session).agentState,
	"login":           (*session).signIn,
	"logout":          simply((*pbx.Switch).SignOut),
	"go_ready":        simply((*pbx.Switch).Ready),
	"go_break":        (*session).goBreak,
	"toggle_ready":    (*session).toggleReady,
	"dial":            (*session).dial,
	"hangup":          (*session).hangup,
	"hangup_other":    (*session).hangup,
	"hold":            simply((*pbx.Switch).Hold),
	"unhold":          simply((*pbx.Switch).Unhold),
	"transfer":        (*session).transfer,
	"consult":         (*session).consult,
	"unconsult":       simply((*pbx.Switch).Cancel),
	"complete":        (*session).complete,
	"monitor":         (*session).monitor,
	"eavesdrop":       spying(pbx.Listen),
	"whisper":         spying(pbx.Whisper),
	"unmonitor":       (*session).unmonitor,
	"intercept":       (*session).intercept,
	"take_call":       (*session).takeCall,
	"kill":            (*session).kill,
	"collect_dtmf":    (*session).collect,
	"answer":          simply((*pbx.Switch).Answer),
	"toggle_hold":     (*session).unsupported,
	"conf":            (*session).unsupported,
	"collect_judge":   (*session).unsupported,
	"get_trunk_state": (*session).unsupported,
	"next_queue":      (*session).unsupported,
	"group_call":      (*session).unsupported,
	"broadcast":       (*session).unsupported,
	"dlogin":          (*session).unsupported,
	"dlogout":         (*session).unsupported,
}

func (s *session) unsupported(context.Context, *frame) (func(), error) {
	return nil, &httpd.Error{Status: http.StatusNotImplemented, Message: "not implemented"}
}

// perform does a command. The error is an answer.
func (s *session) perform(ctx context.Context, f *frame) (result string, after func(), err error) {
	switch f.Cmd {
	case "ping":
		return "pong", nil, nil
	case "auth":
		return "", nil, s.auth(ctx, f)
	}
	do := commands[f.Cmd]
	switch {
	case s.who == who{}:
		return "", nil, &httpd.Error{Status: http.StatusUnauthorized, Message: textUnauthorized}
	case do == nil:
		return "", nil, unusable("cmd: not a command")
	}
	after, err = do(s, ctx, f)
	return "", after, inWords(err)
}

// socketFields are the arguments of commands by what the core calls them.
var socketFields = fieldsOfSockets()

// fieldsOfSockets are those of requests, but for what a socket calls otherwise.
func fieldsOfSockets() map[string]string {
	names := maps.Clone(fields)
	names["dst"], names["remark"] = "dest", "otherStr"
	return names
}

// inWords makes an answer of an error.
func inWords(err error) error {
	var answer *httpd.Error
	if err == nil || errors.As(err, &answer) {
		return err
	}
	return failureIn(err, socketFields)
}

// auth takes who is at the other end: an extension with the password of its phone, or a user. What was subscribed to before ends.
func (s *session) auth(ctx context.Context, f *frame) error {
	if wait, blocked := s.api.failures.Blocked(s.remote); blocked {
		return httpd.TooMany(wait)
	}
	name, err := f.value("username")
	if err != nil {
		return err
	}
	password, err := scalar(f.args["password"])
	if err != nil {
		return unusable("password: " + err.Error())
	}
	if name == "" || password == "" {
		return &httpd.Error{Status: http.StatusUnauthorized, Message: textUnauthorized} // a client that logs in later
	}
	id, err := s.api.users.Identify(ctx, s.api.sw, s.remote, name, password)
	if err == nil {
		err = s.api.enter(id, func() { s.api.sockets.admit(s, id) })
	}
	if wait, blocked := s.api.failures.Blocked(s.remote); blocked {
		return httpd.TooMany(wait)
	}
	if errors.Is(err, pbx.ErrPassword) {
		s.api.failures.Fail(s.remote)
	}
	if err != nil {
		return loginFailure(err)
	}
	s.who = who{exten: id.Exten, user: id.Exten == "", name: id.User.Login}
	s.mu.Lock()
	s.known = true
	s.mu.Unlock()
	s.conn.SetReadLimit(maxFrame)
	s.log.Info("socket logged in", "extension", id.Exten, "user", id.Exten == "", "remote", s.remote.String())
	return nil
}

// self reads the agent who is meant: an agent means himself, and a user must say whom.
func (s *session) self(f *frame) (pbx.Exten, error) {
	text, err := f.value("extn")
	switch n := pbx.Exten(text); {
	case err != nil:
		return "", err
	case s.who.user && text == "":
		return "", unusable("missing parameter: extn")
	case s.who.user:
		return n, nil
	case text != "" && n != s.who.exten:
		return "", notYours()
	}
	return s.who.exten, nil
}

func notYours() error {
	return &httpd.Error{Status: http.StatusForbidden, Message: "not your extension"}
}

// onlyUsers refuses agents.
func (s *session) onlyUsers() error {
	if !s.who.user {
		return &httpd.Error{Status: http.StatusForbidden, Message: "only a user may do this"}
	}
	return nil
}

// simply makes a command of a verb that needs the agent alone.
func simply(verb func(*pbx.Switch, context.Context, pbx.Exten) error) command {
	return func(s *session, ctx context.Context, f *frame) (func(), error) {
		n, err := s.self(f)
		if err != nil {
			return nil, err
		}
		return nil, s.api.orSignedOut(n, verb(s.api.sw, ctx, n))
	}
}

func (s *session) subscribe(_ context.Context, f *frame) (func(), error) {
	k, err := s.key(f)
	if err != nil {
		return nil, err
	}
	if !s.who.user && !k.within(s.who.exten) {
		return nil, notYours()
	}
	return func() { s.api.sockets.watch(s, k) }, s.api.sockets.room(s, k)
}

func (s *session) unsubscribe(_ context.Context, f *frame) (func(), error) {
	k, err := s.key(f)
	if err == nil && !s.api.sockets.unwatch(s, k) {
		err = &httpd.Error{Status: http.StatusNotFound, Message: "not subscribed"}
	}
	return nil, err
}

func (s *session) key(f *frame) (routeKey, error) {
	text, err := f.need("key")
	if err != nil {
		return nil, err
	}
	return parseKey(text)
}

// agentState answers, and then tells what an agent does once.
func (s *session) agentState(_ context.Context, f *frame) (func(), error) {
	n, err := s.self(f)
	if err != nil {
		return nil, err
	}
	if _, err := s.api.sw.Agent(n); err != nil {
		return nil, err
	}
	return func() { s.api.sockets.tellState(s, n) }, nil
}

// signIn makes an agent a member of queues.
func (s *session) signIn(ctx context.Context, f *frame) (func(), error) {
	n, err := s.self(f)
	if err != nil {
		return nil, err
	}
	names, err := f.list("queue", "queues")
	if err != nil {
		return nil, err
	}
	kind, err := f.value("type")
	if err != nil {
		return nil, err
	}
	if kind != "" && kind != "onhook" {
		return nil, unusable("type: onhook is the only one")
	}
	queues := make([]pbx.QueueName, 0, len(names))
	for _, name := range names {
		queues = append(queues, pbx.QueueName(name))
	}
	return nil, s.api.directory.SignIn(ctx, n, queues)
}

func (s *session) goBreak(ctx context.Context, f *frame) (func(), error) {
	n, err := s.self(f)
	if err != nil {
		return nil, err
	}
	reason, err := f.value("reason")
	if err != nil {
		return nil, err
	}
	return nil, s.api.sw.Break(ctx, n, reason)
}

func (s *session) toggleReady(ctx context.Context, f *frame) (func(), error) {
	n, err := s.self(f)
	if err != nil {
		return nil, err
	}
	x, err := s.api.sw.Agent(n)
	switch {
	case err != nil:
		return nil, err
	case x.State == pbx.AgentReady:
		return nil, s.api.sw.Break(ctx, n, "")
	}
	return nil, s.api.sw.Ready(ctx, n)
}

func (s *session) dial(ctx context.Context, f *frame) (func(), error) {
	n, err := s.self(f)
	if err != nil {
		return nil, err
	}
	dest, err := f.need("dest")
	if err != nil {
		return nil, err
	}
	remark, err := f.value("otherStr", "other_str")
	if err != nil {
		return nil, err
	}
	_, err = s.api.sw.DialAs(ctx, n, dest, remark)
	return nil, err
}

func (s *session) hangup(ctx context.Context, f *frame) (func(), error) {
	n, err := s.self(f)
	if err != nil {
		return nil, err
	}
	return nil, s.api.endCalls(ctx, n)
}

func (s *session) transfer(ctx context.Context, f *frame) (func(), error) {
	return s.toNumber(ctx, f, s.api.sw.Transfer)
}

func (s *session) consult(ctx context.Context, f *frame) (func(), error) {
	return s.toNumber(ctx, f, s.api.sw.Consult)
}

// complete connects the two others of a consultation, of the one alone that is named, if one is.
func (s *session) complete(ctx context.Context, f *frame) (func(), error) {
	n, err := s.self(f)
	if err != nil {
		return nil, err
	}
	question, err := f.value("consult_id")
	if err != nil {
		return nil, err
	}
	return nil, s.api.orSignedOut(n, s.api.sw.Complete(ctx, n, question))
}

func (s *session) toNumber(ctx context.Context, f *frame, verb func(context.Context, pbx.Exten, string) error) (func(), error) {
	n, err := s.self(f)
	if err != nil {
		return nil, err
	}
	dest, err := f.need("dest")
	if err != nil {
		return nil, err
	}
	return nil, verb(ctx, n, dest)
}

// truth reads an argument that is "true" or not.
func (f *frame) truth(name string) (bool, error) {
	text, err := f.value(name)
	return strings.EqualFold(text, "true"), err
}
