package main

import (
	"context"
	"encoding/json"
	"errors"
)

// conferenceSteps make a conference, bring two phones into it, and put them out again.
func conferenceSteps() []step {
	return []step{
		{line: 12, name: "conference: create", effect: callable, body: sampled(
			`{"code":200,"result":"success","confUuid":"d2b8fb86-ff85-11ed-a941-000c29147fde","nbr":"300942914"}`)},
		{line: 13, name: "conference: detail", effect: isConference("周会", false, "extn", "true"), body: sampled(`[{"uuid":"d2b8fb86-ff85-11ed-a941-000c29147fde",
			"topic":"111112","nbr":"300942914","description":null,"start_time":null,"created_at":"2023-05-31 15:36:15","completed_at":null,"context":null,
			"recording":false,"memberdetail":"","showname":"extn","blending":"true"}]`)},
		{line: 14, name: "conference: update", effect: isConference("111112", true, "alias", "false"), body: sampled(
			`{"code":200,"result":"success","confUuid":"d2b8fb86-ff85-11ed-a941-000c29147fde"}`)},
		{line: 15, name: "conference: members", body: says(textSuccess), effect: members("801", "beInvited", "802", "beInvited")},
		{line: 16, name: "conference: dial a member", before: oneDials, body: says(textOK), effect: together, keep: true},
		{line: 17, name: "conference: mute", body: says(textSuccess), effect: heard(), keep: true},
		{line: 17, name: "conference: unmute", instead: "type=mute", with: "type=unmute", body: says(textSuccess), effect: heard(phoneTone), keep: true},
		{line: 17, name: "conference: kick", instead: "type=mute", with: "type=kick", body: says(textSuccess), effect: kicked, keep: true},
		{line: 18, name: "conference: who is in it", effect: members("801", "outMeeting", "802", "inMeeting"), keep: true, body: sampled(
			`[{"uuid":"7f6bd195-0a70-4108-9ea7-9463770f57d7","typ":"beCancel","conference_uuid":"d2b8fb86-ff85-11ed-a941-000c29147fde","member_number":"1002",
			"joined_number":"1002","created_at":"2023-05-31 16:17:31","joined_at":"2023-05-31 16:17:31","left_at":"2023-05-31 16:17:32"}]`)},
		{line: 19, name: "conference: call off", body: says(textSuccess), effect: func(ctx context.Context, s *stage) error {
			return errors.Join(s.noCall(ctx, "802"), s.hides(ctx, "confbridge list", s.words["nbr"]), members("801", "outMeeting", "802", "outMeeting")(ctx, s))
		}},
		{line: 20, name: "conference: delete", body: says(textSuccess), effect: func(ctx context.Context, s *stage) error {
			return s.hides(ctx, "dialplan show "+s.words["nbr"]+"@from-internal", s.words["nbr"], "=>")
		}},
	}
}

func callable(ctx context.Context, s *stage) error {
	var made struct{ ConfUUID, Nbr string }
	err := json.Unmarshal(s.answer.body, &made)
	s.words["confUuid"], s.words["nbr"] = made.ConfUUID, made.Nbr
	return errors.Join(err, s.shows(ctx, "dialplan show "+made.Nbr+"@from-internal", made.Nbr, "=>"))
}

func isConference(topic string, recording bool, show, blending string) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		return s.has(ctx, "/api/conferences/conference/detail?nbr="+s.words["nbr"], map[string]any{"uuid": s.words["confUuid"], "nbr": s.words["nbr"],
			"topic": topic, "recording": recording, "showname": show, "blending": blending, "context": "from-internal"})
	}
}

// members wants these to be in the conference's list, with what became of them.
func members(numberState ...string) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		var rows []map[string]any
		for i := 0; i < len(numberState); i += 2 {
			rows = append(rows, map[string]any{"member_number": numberState[i], "typ": numberState[i+1], "conference_uuid": s.words["confUuid"]})
		}
		return s.has(ctx, "/api/conferences/liveConf/"+s.words["confUuid"], rows...)
	}
}

// oneDials lets 802 dial the conference's number.
func oneDials(ctx context.Context, s *stage) error {
	c, err := s.phones["802"].Dial(ctx, s.words["nbr"])
	if err != nil {
		return err
	}
	return errors.Join(c.Answered(ctx), s.shows(ctx, "confbridge list "+s.words["nbr"], s.lab.Tech+"/802-"))
}

func together(ctx context.Context, s *stage) error {
	if _, err := s.rings(ctx, "801"); err != nil {
		return err
	}
	return errors.Join(s.hears(ctx, s.phones["801"], phoneTone), s.hears(ctx, s.phones["802"], phoneTone),
		s.shows(ctx, "confbridge list "+s.words["nbr"], s.lab.Tech+"/801-"), members("801", "inMeeting", "802", "inMeeting")(ctx, s))
}

// heard wants 802 to hear this of 801, who hears 802 in any case.
func heard(tones ...int) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		return errors.Join(s.hears(ctx, s.phones["802"], tones...), s.hears(ctx, s.phones["801"], phoneTone))
	}
}

func kicked(ctx context.Context, s *stage) error {
	return errors.Join(s.noCall(ctx, "801"), s.hides(ctx, "confbridge list "+s.words["nbr"], s.lab.Tech+"/801-"),
		s.shows(ctx, "confbridge list "+s.words["nbr"], s.lab.Tech+"/802-"))
}
