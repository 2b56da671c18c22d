package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dialbridge/dialbridge/lab"
	"github.com/dialbridge/dialbridge/lab/phone"
)

// eventSample is what the second page prints of ola.onMessage.
const eventSample = `{"event_type":"agent_state","state":"login","old_state":"","call_accept":"","other_accept":"","agent_id":"1002","agent_extn":"1002",
"agent_name":"1002","queue_id":["10010"],"skill":0,"calls_queued":0,"max_queued_time":0,"call_id":"","call_type":"","ani":"","dnis":"","this_type":"agent",
"this_dn":"1002","other_type":"","other_dn":"","third_type":"","third_dn":"","timestamp":1685430732167,"private_data":"","call_direction":"undefined",
"other_answered":false,"dtmf":"undefined","dtmf_his":"undefined","gateway":"undefined","app_data":{}}`

const directNumber = "02188880032" // leads to 806

// frameSteps are the methods of the second page's script, 806 being the agent, in an order in which each has something to work on.
func frameSteps() []frameStep {
	return []frameStep{
		{line: 1, name: "connect", effect: opened},
		{line: 2, name: "log in", before: stranger, effect: toldNow},
		{line: 3, name: "subscribe", effect: tells("logout")},
		{line: 5, name: "sign in", effect: atWork("login", true)},
		{line: 6, name: "ready", effect: atWork("ready", false)},
		{line: 7, name: "busy", effect: atWork("unready", true)},
		{line: 4, name: "events", effect: tells("unready"), before: func(ctx context.Context, s *stage) error {
			_, err := s.agent.send(ctx, `{"action":"api","cmd":"get_agent_state","args":{"extn":"806"},"uuid":"1"}`)
			return err
		}},
		{line: 8, name: "ping", effect: func(context.Context, *stage) error { return nil }},
		{line: 9, name: "dial", effect: func(ctx context.Context, s *stage) error {
			if err := s.clicked(ctx, "806", "809"); err != nil {
				return err
			}
			e, err := s.agent.told(ctx, "busy answer")
			return errors.Join(err, s.marked(ctx, e.Accept, "order 4712"))
		}, keep: true},
		{line: 10, name: "hold", effect: otherHears(music), keep: true},
		{line: 11, name: "unhold", effect: otherHears(phoneTone), keep: true},
		{line: 12, name: "transfer", effect: passedOn},
		{line: 13, name: "hang up", before: talking("809", "806"), effect: func(ctx context.Context, s *stage) error {
			return errors.Join(s.noCall(ctx, "806"), s.noCall(ctx, "809"))
		}},
		{line: 14, name: "collect keys", before: customer, effect: collected, keep: true},
		{line: 15, name: "a third party", before: third, effect: inThree, keep: true},
		{line: 16, name: "the third party leaves", effect: inTwo, keep: true},
		{line: 17, name: "listen, by a user", user: true, before: user, effect: overheard, keep: true},
		{line: 18, name: "listen no more, by a user", user: true, effect: inTwo, keep: true},
		{line: 19, name: "take over, by a user", user: true, effect: takenOver},
		{line: 20, name: "take a waiting caller", before: someoneWaits, effect: func(ctx context.Context, s *stage) error {
			_, err := s.rings(ctx, "806")
			return errors.Join(err, s.hears(ctx, s.outside, phoneTone), s.hears(ctx, s.phones["806"], outsideTone))
		}, keep: true},
		{line: 21, name: "end a call", effect: func(ctx context.Context, s *stage) error {
			return errors.Join(s.noCall(ctx, "806"), s.eventually(ctx, "the end of the caller's call", func(context.Context) (bool, error) {
				return len(s.outside.Calls()) == 0, nil
			}))
		}},
		{line: 22, name: "unsubscribe", effect: toldNoMore},
		{line: 23, name: "sign out", effect: func(ctx context.Context, s *stage) error { return s.hides(ctx, "queue show 631", s.lab.Tech+"/806") }},
	}
}

// opened opens the agent's socket; nothing may come before he logs in, and nothing is done for him.
func opened(ctx context.Context, s *stage) (err error) {
	if _, _, err = s.daemon.Post(ctx, "/coocenter-api/queues/agent-logout", "extension", "806", "queue", "631"); err != nil {
		return err
	}
	s.agent, err = s.connect(ctx)
	return err
}

// stranger wants nothing to be done for one who has not logged in.
func stranger(ctx context.Context, s *stage) error {
	r, err := s.agent.send(ctx, `{"action":"api","cmd":"go_ready","args":{"extn":"806"},"uuid":"1"}`)
	if err == nil && r.Code != 401 {
		err = fmt.Errorf("before the log-in: %+v", r)
	}
	s.words["extnPwd"] = lab.Secret("806")
	return err
}

// toldNow wants an answer and one event, which tells what the agent does.
func toldNow(ctx context.Context, s *stage) error {
	r, err := s.agent.send(ctx, `{"action":"api","cmd":"get_agent_state","args":{"extn":"806"},"uuid":"1"}`)
	if err == nil && r.Code != 200 {
		err = fmt.Errorf("after the log-in: %+v", r)
	}
	return errors.Join(err, tells("logout")(ctx, s))
}

func tells(state string) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		_, err := s.agent.told(ctx, state)
		return err
	}
}

// atWork wants the agent to be told what he does, and Asterisk to have him paused or not.
func atWork(state string, paused bool) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		return errors.Join(resting(paused)(ctx, s), tells(state)(ctx, s))
	}
}

// passedOn wants whom 806 has called to talk to 802.
func passedOn(ctx context.Context, s *stage) error {
	if _, err := s.rings(ctx, "802"); err != nil {
		return err
	}
	return errors.Join(s.noCall(ctx, "806"), s.hears(ctx, s.phones["809"], phoneTone), s.hears(ctx, s.phones["802"], phoneTone), tells("unready")(ctx, s))
}

// customer lets one outside talk to 806.
func customer(ctx context.Context, s *stage) error {
	if _, err := s.lab.CLI(ctx, "dialplan add extension "+directNumber+",1,Dial,"+s.lab.Tech+"/806 into from-trunk replace"); err != nil {
		return err
	}
	if _, err := s.outside.DialWith(ctx, directNumber, phone.DialOptions{Number: "13012345679"}); err != nil {
		return err
	}
	_, err := s.rings(ctx, "806")
	return err
}

// collected wants the keys of the customer to be told.
func collected(ctx context.Context, s *stage) error {
	c, err := only(s.outside)
	if err != nil {
		return err
	}
	if err := c.SendDTMF(ctx, "42#", phone.RFC2833); err != nil {
		return err
	}
	for {
		if e, err := s.agent.told(ctx, "busy answer"); err != nil || e.Dtmf == "42" {
			return err
		}
	}
}

// third registers a phone that sounds like no other.
func third(ctx context.Context, s *stage) (err error) {
	if s.phones["805"], err = s.telephone(ctx, "805", lab.Secret("805"), thirdTone); err != nil {
		return err
	}
	if err := s.phones["805"].Register(ctx); err != nil {
		return err
	}
	return s.eventually(ctx, "the daemon to know 805", func(ctx context.Context) (bool, error) {
		_, body, err := s.asks(ctx, "/api/ola/agents/805", s.words["token"])
		return strings.Contains(string(body), `"sip_state":"true"`), err
	})
}

func inThree(ctx context.Context, s *stage) error {
	if _, err := s.rings(ctx, "805"); err != nil {
		return err
	}
	return errors.Join(s.hears(ctx, s.phones["805"], phoneTone, outsideTone), s.hears(ctx, s.outside, phoneTone, thirdTone),
		s.hears(ctx, s.phones["806"], outsideTone, thirdTone))
}

func inTwo(ctx context.Context, s *stage) error {
	return errors.Join(s.noCall(ctx, "805"), s.hears(ctx, s.outside, phoneTone), s.hears(ctx, s.phones["806"], outsideTone))
}

// user logs in one who may steer all extensions.
func user(ctx context.Context, s *stage) (err error) {
	if s.user, err = s.connect(ctx); err != nil {
		return err
	}
	r, err := s.user.send(ctx, fmt.Sprintf(`{"cmd":"auth","args":{"username":%q,"password":%q},"uuid":"1"}`, s.words["username"], s.words["password"]))
	if err == nil && r.Code != 200 {
		err = fmt.Errorf("auth of a user: %+v", r)
	}
	return err
}

// overheard wants 805 to hear both, and neither to hear him.
func overheard(ctx context.Context, s *stage) error {
	if _, err := s.rings(ctx, "805"); err != nil {
		return err
	}
	return errors.Join(s.hears(ctx, s.phones["805"], phoneTone, outsideTone), s.hears(ctx, s.outside, phoneTone), s.hears(ctx, s.phones["806"], outsideTone))
}

// takenOver wants the customer to talk to 805.
func takenOver(ctx context.Context, s *stage) error {
	if _, err := s.rings(ctx, "805"); err != nil {
		return err
	}
	return errors.Join(s.noCall(ctx, "806"), s.hears(ctx, s.phones["805"], outsideTone), s.hears(ctx, s.outside, thirdTone))
}

// someoneWaits lets a caller wait, of whom the agent is told.
func someoneWaits(ctx context.Context, s *stage) error {
	if _, err := s.agent.send(ctx, `{"cmd":"subscribe","args":{"key":"ola.caller.806"},"uuid":"1"}`); err != nil {
		return err
	}
	if err := callerWaits(ctx, s); err != nil {
		return err
	}
	e, err := s.agent.told(ctx, "caller in")
	s.words["caller"] = e.Caller.UUID
	return err
}

// toldNoMore changes what the agent does: another socket is told so, and his is not.
func toldNoMore(ctx context.Context, s *stage) error {
	s.agent.events = nil
	for _, frame := range []string{`{"cmd":"subscribe","args":{"key":"ola.agent.806"},"uuid":"1"}`, `{"action":"api","cmd":"go_ready","args":{"extn":"806"},"uuid":"2"}`} {
		if r, err := s.user.send(ctx, frame); err != nil || r.Code != 200 {
			return errors.Join(fmt.Errorf("%s: %+v", frame, r), err)
		}
	}
	if _, err := s.user.told(ctx, "ready"); err != nil {
		return err
	}
	if _, err := s.agent.send(ctx, `{"cmd":"ping","uuid":"1"}`); err != nil {
		return err
	}
	for _, e := range s.agent.events {
		if e.Type == "agent_state" {
			return fmt.Errorf("still told: %s", e.text)
		}
	}
	return nil
}
