package main

import (
	"context"
	"errors"
)

const extensionSample = `[{"name":"1002","if_auto_login":"false","if_auto_ready":"false","uuid":"03b19e33-90a8-4bab-9a31-01be01148586","nbr":"1002",
"password":"!@#123Qw","typ":"sip","context":"呼出组","k":"out","created_at":"2020-03-19 16:59:32","updated_at":"2023-03-29 17:56:08",
"transfer_phone":"","domain":"127.0.0.1","priority":0,"description":"1,AI"}]`

// The second page's outbound group and the extension in it.
var (
	theGroup     = map[string]any{"dict": "FS_CONTEXT", "k": "out", "v": "呼出组"}
	theExtension = map[string]any{"nbr": "821", "name": "821", "password": "!@#123Qw", "context": "呼出组", "k": "out", "transfer_phone": "802"}
)

// directorySteps log in, and make, use, change and delete an outbound group and an extension.
func directorySteps() []step {
	return []step{
		{line: 1, name: "log in", before: administrator, body: says(textOK), effect: loggedIn},
		{line: 2, name: "outbound group: insert", body: says(textOK), effect: groupIs(true)},
		{line: 3, name: "outbound group: detail", effect: row(theGroup), body: sampled(`[{"dict":"FS_CONTEXT","k":"out","v":"呼出组","description":null,
			"created_at":"2020-03-19 17:00:03","updated_at":"2020-04-26 14:40:28","deleted_at":null,"start_url":"","end_url":"","times":"","hangup_dtmf":"0",
			"user_uuid":"000000000-0000-0000-0000-000000000000","extn_count":7}]`)},
		{line: 4, name: "outbound group: update", body: says(textOK), effect: func(ctx context.Context, s *stage) error {
			return s.has(ctx, "/api/ola/dicts/detail", map[string]any{"k": "out", "v": "呼出组", "times": "3", "hangup_dtmf": "1"})
		}},
		{line: 5, name: "extension: insert", body: says(textOK), effect: inUse("!@#123Qw")},
		{line: 6, name: "extension: detail", body: sampled(extensionSample), effect: row(theExtension)},
		{line: 7, name: "extension: detail, old address", body: sampled(extensionSample), effect: row(theExtension)},
		{line: 8, name: "outbound group: its extensions", body: sampled(extensionSample), effect: row(theExtension)},
		{line: 9, name: "extension: update", body: says(textOK), effect: renewed},
		{line: 10, name: "extension: delete", body: says(textOK), effect: vanished},
		{line: 11, name: "outbound group: delete", body: says(textOK), effect: groupIs(false)},
	}
}

// groupIs wants the group to be a context that leads where all phones dial, or to be none.
func groupIs(there bool) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		return s.printed(ctx, "dialplan show out", there, []string{"from-internal"})
	}
}

// inUse lets the phone of the new extension register, call and be called.
func inUse(password string) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		p, err := s.telephone(ctx, "821", password, phoneTone)
		if err != nil {
			return err
		}
		if err := errors.Join(s.denied(ctx, "821", "wrong"), p.Register(ctx)); err != nil {
			return err
		}
		s.phones["821"] = p
		if err := s.quiet(ctx, false); err != nil { // the daemon knows of the phone
			return err
		}
		if _, err := s.talk(ctx, "821", "801"); err != nil {
			return err
		}
		if err := s.quiet(ctx, false); err != nil {
			return err
		}
		_, err = s.talk(ctx, "801", "821")
		return err
	}
}

// renewed wants the new password to count, and the number to transfer to to be where the dialplan looks for it.
func renewed(ctx context.Context, s *stage) error {
	if err := errors.Join(s.denied(ctx, "821", "!@#123Qw"), s.shows(ctx, "database show CFU", "/CFU/821", "803")); err != nil {
		return err
	}
	return errors.Join(s.phones["821"].Vanish(), inUse("New-1234")(ctx, s), s.has(ctx, "/api/ola/extensions/detail?extn=821",
		map[string]any{"password": "New-1234", "transfer_phone": "803", "if_auto_ready": "true"}))
}

// vanished wants Asterisk to know nothing of the extension any more.
func vanished(ctx context.Context, s *stage) error {
	p := s.phones["821"]
	delete(s.phones, "821")
	return errors.Join(p.Vanish(), s.denied(ctx, "821", "New-1234"), s.hides(ctx, "database show CFU", "/CFU/821"), s.has(ctx, "/api/ola/extensions/detail?extn=82"))
}
