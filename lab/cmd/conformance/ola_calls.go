package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/dialbridge/dialbridge/lab/phone"
)

const (
	barredNumber = "02155550009"
	queueNumber  = "02188880031" // leads to queue 631, which has one agent: 806
)

// numberSteps list a number, in one direction and then in the other.
func numberSteps() []step {
	return []step{
		{line: 21, name: "black list: insert", body: says(textOK), effect: func(ctx context.Context, s *stage) error {
			return errors.Join(barred(ctx, s, true, false), s.turnsAway(ctx, barredNumber))
		}},
		{line: 22, name: "black list: detail", effect: row(map[string]any{"phone": barredNumber, "special_flag": 2}), body: sampled(
			`[{"uuid":"a6da3b93-3be2-4d23-a7d9-531fccb3cbde","user_uuid":"00000000-0000-0000-0000-000000000000","created_at":"2020-02-26 16:59:07",
			"phone":"13678267674","special_flag":2,"priority":null}]`)},
		{line: 23, name: "black list: update", body: says(textOK), effect: func(ctx context.Context, s *stage) error {
			if err := barred(ctx, s, false, true); err != nil {
				return err
			}
			c, err := s.phones["801"].Dial(ctx, barredNumber)
			if err != nil {
				return err
			}
			_, err = c.Ended(ctx)
			if n := len(s.outside.Calls()); n > 0 {
				err = errors.Join(err, fmt.Errorf("the provider has %d calls", n))
			}
			return err
		}},
		{line: 24, name: "black list: delete", body: says(textOK), effect: func(ctx context.Context, s *stage) error {
			if err := barred(ctx, s, false, false); err != nil {
				return err
			}
			if _, err := s.phones["801"].Dial(ctx, barredNumber); err != nil {
				return err
			}
			_, err := called(ctx, s.outside, barredNumber)
			return err
		}},
	}
}

// barred wants Asterisk's own lists to have the number or not: of those who may not call in, and of those who may not be called.
func barred(ctx context.Context, s *stage, in, out bool) error {
	return errors.Join(s.printed(ctx, "database show blacklist", in, []string{"/blacklist/" + barredNumber}),
		s.printed(ctx, "database show blacklist_out", out, []string{"/blacklist_out/" + barredNumber}))
}

// called waits until a phone talks in a call to a number.
func called(ctx context.Context, p *phone.Phone, number string) (*phone.Call, error) {
	c, err := taken(ctx, p)
	if err == nil && c.Info().Dialled != number {
		err = fmt.Errorf("called was %s, want %s", c.Info().Dialled, number)
	}
	return c, err
}

// agentSteps let an agent work: he rests while a caller waits, takes him, and calls a colleague.
func agentSteps() []step {
	return []step{
		{line: 25, name: "agents", before: signedIn, effect: isReady, body: sampled(`{"code":"200","agent":[{"extn":"1007","id":"1007","channel_uuid":"",
			"name":"1007","type":"onhook","weight":"0","queue":["10010","10023"],"moh":"","wrapup_time":"5000","dial_string":"user/1007","state":"unready",
			"old_state":"","private_data":"","sip_state":"true","device":"unknown","sip_ip":"182.138.88.98","created_at":"2020-07-23 14:20:50.776364",
			"updated_at":"undefined","call_direction":"undefined","other_number":"","gateway":"undefined","answered_at":"","comment":""}]}`)},
		{line: 26, name: "busy", body: says(textOK), effect: resting(true)},
		{line: 27, name: "who waits", before: callerWaits, effect: isWaiting, keep: true, body: sampled(
			`{"count":"1","callers":[{"uuid":"33333131","caller_number":"130xxxxx","created_at":"2020-02-01 00:00:00","wait_time":"20"}]}`)},
		{line: 28, name: "ready", body: says(textOK), effect: func(ctx context.Context, s *stage) error {
			if err := resting(false)(ctx, s); err != nil {
				return err
			}
			_, err := s.rings(ctx, "806") // whom the queue gives the caller
			return errors.Join(err, s.hears(ctx, s.outside, phoneTone))
		}},
		{line: 29, name: "queues", effect: row(map[string]any{"uuid": 631, "name": "631"}), body: sampled(queueSample)},
		{line: 30, name: "dial", body: says(textOK), effect: dialledWithMark, keep: true},
		{line: 31, name: "hold", body: says(textOK), effect: otherHears(music), keep: true},
		{line: 32, name: "unhold", body: says(textOK), effect: otherHears(phoneTone), keep: true},
		{line: 33, name: "hang up", body: says(textOK), effect: func(ctx context.Context, s *stage) error {
			return errors.Join(s.noCall(ctx, "806"), s.noCall(ctx, "809"), s.hides(ctx, "core show channels concise", "/806-"))
		}},
	}
}

const queueSample = `[{"uuid":10010,"agenttimeout":10,"callurl":"","chimagentanswer":"","chimfreq":60,"chimhangup":"","chimvoicemail":"","enablevoicemail":"false",
"hidencallernumber":"false","judgeflag":0,"moh":null,"name":"AI","user_uuid":"00000000-0000-0000-0000-000000000000","recordafterhangup":0,"repeatdtmf":"",
"takecallmanual":"false","timeouttype":0,"ttsagentanswer":2,"waitcallurl":"","waitplay":0,"chim_bye":"","created_at":"2022-11-29 14:41:18",
"updated_at":"2023-04-13 10:12:50","before_url":"","end_url":"","times":"3","transfer_agent_timeout":"N","transfer_unready":"N","rule":"02",
"waitwarn":"false","fronturl":"","rearurl":"","aidtmf":null,"timeout_phone":"","strategy":"fifo_onhook","vmaildtmf":null,"callname":"致爱丽丝.mp3"}]`

// signedIn makes 806 the agent of 631, and leads a number outside to it.
func signedIn(ctx context.Context, s *stage) error {
	code, body, err := s.daemon.Post(ctx, "/coocenter-api/queues/agent-login", "extension", "806", "queue", "631")
	if err != nil {
		return err
	}
	if code != 200 {
		return fmt.Errorf("agent-login: %d %s", code, body)
	}
	_, err = s.lab.CLI(ctx, "dialplan add extension "+queueNumber+",1,Queue,631 into from-trunk replace")
	return errors.Join(err, resting(false)(ctx, s))
}

// isReady wants the answer to be that 806 is, and where his phone is.
func isReady(_ context.Context, s *stage) error {
	var list struct{ Agent json.RawMessage }
	if err := json.Unmarshal(s.answer.body, &list); err != nil {
		return err
	}
	return hasRows(list.Agent, []map[string]any{{"extn": "806", "state": "ready", "queue": []string{"631"}, "sip_state": "true",
		"sip_ip": s.phones["806"].Addr().Addr(), "dial_string": "user/806"}})
}

// resting wants 806 to be paused or not, as Asterisk sees it.
func resting(want bool) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		return errors.Join(s.shows(ctx, "queue show 631", s.lab.Tech+"/806"), s.printed(ctx, "queue show 631", want, []string{s.lab.Tech + "/806", "(paused"}))
	}
}

// callerWaits lets a caller outside wait in 631.
func callerWaits(ctx context.Context, s *stage) error {
	if _, err := s.outside.DialWith(ctx, queueNumber, phone.DialOptions{Number: "13012345678"}); err != nil {
		return err
	}
	return s.eventually(ctx, "the caller to wait", func(ctx context.Context) (bool, error) {
		id, err := s.waiting(ctx)
		return id != "", err
	})
}

// waiting is the id of the one who waits in 631.
func (s *stage) waiting(ctx context.Context) (id string, err error) {
	_, body, err := s.asks(ctx, "/api/ola/queues/631/get_callers", s.words["token"])
	if err != nil {
		return "", err
	}
	var list struct{ Callers []struct{ UUID string } }
	if err := json.Unmarshal(body, &list); err != nil {
		return "", err
	}
	if len(list.Callers) != 1 {
		return "", fmt.Errorf("get_callers: %s", body)
	}
	return list.Callers[0].UUID, nil
}

func isWaiting(ctx context.Context, s *stage) error {
	var list struct {
		Count   string
		Callers []struct {
			UUID   string
			Number string `json:"caller_number"`
		}
	}
	if err := json.Unmarshal(s.answer.body, &list); err != nil {
		return err
	}
	if list.Count != "1" || len(list.Callers) != 1 || list.Callers[0].Number != "13012345678" {
		return fmt.Errorf("%+v", list)
	}
	return s.shows(ctx, "core show channels concise", "Queue", list.Callers[0].UUID)
}

// dialledWithMark wants both phones to ring in their order, and the mark to be kept with the call.
func dialledWithMark(ctx context.Context, s *stage) error {
	if err := s.clicked(ctx, "806", "809"); err != nil {
		return err
	}
	_, body, err := s.asks(ctx, "/api/ola/agents/806", s.words["token"])
	if err != nil {
		return err
	}
	var list struct {
		Agent []struct {
			Channel string `json:"channel_uuid"`
		}
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return err
	}
	if len(list.Agent) != 1 {
		return fmt.Errorf("agents/806: %s", body)
	}
	return s.marked(ctx, list.Agent[0].Channel, "order-4711")
}

// marked wants the record of a call to have a mark.
func (s *stage) marked(ctx context.Context, id, mark string) error {
	code, body, err := s.daemon.Get(ctx, "/coocenter-api/calls/"+id)
	if err != nil {
		return err
	}
	var record struct{ Data struct{ OtherStr string } }
	err = json.Unmarshal([]byte(body), &record)
	if err == nil && record.Data.OtherStr != mark {
		err = fmt.Errorf("record of %s: %d %s", id, code, body)
	}
	return err
}

// otherHears wants whom 806 has called to hear this.
func otherHears(tone int) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error { return s.hears(ctx, s.phones["809"], tone) }
}

// outgoingSteps call numbers outside by the trunk group 222, which has one line.
func outgoingSteps() []step {
	return []step{
		{line: 34, name: "trunk groups", effect: row(map[string]any{"name": "222", "count": 1}), body: sampled(
			`[{"uuid":"f051befd-28f1-4902-beea-57cad693fb3c","parent_uuid":null,"name":"222","level":0,"description":"","group_nbr":null,"typ":"GATEWAY",
			"display_order":0,"created_at":"2023-03-09 17:04:46","updated_at":"2023-05-29 17:46:60","synced_at":null,"strategy":"polling",
			"user_uuid":"00000000-0000-0000-0000-000000000000","date_setting_uuid":null,"count":9999999}]`)},
		{line: 35, name: "menus", effect: row(map[string]any{"flow_id": 610, "flow_name": "working time"}), body: sampled(`[{"flow_id":29,"flow_name":"呼入语音导航"}]`)},
		{line: 36, name: "campaign", body: says(textOK), effect: oneAfterTheOther},
		{line: 37, name: "call between two", body: says(textOK), effect: connected},
	}
}

// oneAfterTheOther wants both numbers to be called, to hear something, and the second only after the first.
func oneAfterTheOther(ctx context.Context, s *stage) error {
	first, err := called(ctx, s.outside, "02155550001")
	if err != nil {
		return err
	}
	if _, err := first.Ended(ctx); err != nil {
		return err
	}
	second, err := called(ctx, s.outside, "02155550002")
	if err != nil {
		return err
	}
	if end, next := first.Info().End.At, second.Info().Created; next.Before(end) {
		return fmt.Errorf("the second was called at %v, before the first call ended at %v", next, end)
	}
	_, err = second.Ended(ctx)
	return errors.Join(err, s.has(ctx, "/api/ola/groupCall?batchAccept=00000001", map[string]any{"state": "done", "answered": 2, "total": 2}))
}

// connected wants who is named first to be called first, and both to hear each other.
func connected(ctx context.Context, s *stage) error {
	first, err := called(ctx, s.outside, "13800138000")
	if err != nil {
		return err
	}
	second, err := s.rings(ctx, "801")
	if err != nil {
		return err
	}
	if a, b := first.Info(), second.Info(); a.Answered.After(b.Created) {
		return errors.New("the second was called before the first had answered")
	}
	return errors.Join(s.hears(ctx, s.outside, phoneTone), s.hears(ctx, s.phones["801"], outsideTone))
}
