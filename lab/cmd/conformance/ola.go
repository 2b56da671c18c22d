package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/dialbridge/dialbridge/lab/phone"
)

// What the second page prints as the whole answer of most of its requests.
const textOK, textSuccess = `{"code":200,"result":"ok"}`, `{"code":200,"result":"success"}`

// What is heard: the phones of the stage, the provider, music on hold, and the one phone that sounds otherwise.
const phoneTone, outsideTone, music, thirdTone = 400, 600, 440, 500

// olaSteps are the lines of the second page in an order in which each has something to work on.
func olaSteps() []step {
	var all []step
	for _, some := range [][]step{directorySteps(), conferenceSteps(), numberSteps(), agentSteps(), outgoingSteps()} {
		all = append(all, some...)
	}
	return all
}

// says wants an answer to the letter.
func says(want string) func(*stage) error {
	return func(s *stage) error {
		if got := strings.TrimSpace(string(s.answer.body)); got != want || !strings.HasPrefix(s.answer.kind, "application/json") {
			return fmt.Errorf("%s, %q, want %s", got, s.answer.kind, want)
		}
		return nil
	}
}

// sampled wants an answer like a printed one.
func sampled(sample string) func(*stage) error {
	return func(s *stage) error {
		if !strings.HasPrefix(s.answer.kind, "application/json") {
			return fmt.Errorf("Content-Type is %q", s.answer.kind)
		}
		return likeSample(sample, s.answer.body)
	}
}

// asks reads something of the second dialect.
func (s *stage) asks(ctx context.Context, path, token string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.daemon.URL+path, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("X-Auth-Token", token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// has wants something of the second dialect to be rows with these values.
func (s *stage) has(ctx context.Context, path string, rows ...map[string]any) error {
	return s.eventually(ctx, fmt.Sprintf("%s to be %v", path, rows), func(ctx context.Context) (bool, error) {
		_, body, err := s.asks(ctx, path, s.words["token"])
		if err == nil {
			err = hasRows(body, rows)
		}
		return err == nil, err
	})
}

// hasRows wants a list to have exactly these rows in this order; what is not named of a row does not matter.
func hasRows(body []byte, want []map[string]any) error {
	var have []map[string]any
	if err := json.Unmarshal(body, &have); err != nil {
		return fmt.Errorf("%w: %s", err, body)
	}
	if len(have) != len(want) {
		return fmt.Errorf("%d rows, want %d: %s", len(have), len(want), body)
	}
	for i, row := range want {
		for key, value := range row {
			if fmt.Sprint(have[i][key]) != fmt.Sprint(value) {
				return fmt.Errorf("%s of row %d is %v, want %v", key, i, have[i][key], value)
			}
		}
	}
	return nil
}

// row wants the answer to have one row, with these values.
func row(want map[string]any) func(context.Context, *stage) error {
	return func(_ context.Context, s *stage) error { return hasRows(s.answer.body, []map[string]any{want}) }
}

// administrator reads the password that was drawn at the first start from the log, as who has installed the daemon would.
func administrator(ctx context.Context, s *stage) error {
	line, err := s.daemon.WaitLog(ctx, "user admin was made")
	if err != nil {
		return err
	}
	var said struct{ Password string }
	err = json.Unmarshal([]byte(line), &said)
	s.words["username"], s.words["password"] = "admin", said.Password
	return err
}

// loggedIn wants the token to open what is closed without it.
func loggedIn(ctx context.Context, s *stage) error {
	s.words["token"] = s.answer.token
	for token, want := range map[string]int{"": http.StatusUnauthorized, s.answer.token: http.StatusOK} {
		status, body, err := s.asks(ctx, "/api/ola/agents", token)
		if err != nil {
			return err
		}
		if status != want {
			return fmt.Errorf("with a token of %d characters: %d %s", len(token), status, body)
		}
	}
	return nil
}

// only is the one call that a phone has.
func only(p *phone.Phone) (*phone.Call, error) {
	calls := p.Calls()
	if len(calls) != 1 {
		return nil, fmt.Errorf("%s has %d calls, want one", p.Number(), len(calls))
	}
	return calls[0], nil
}

// hears wants the one call of a phone to sound like this.
func (s *stage) hears(ctx context.Context, p *phone.Phone, wanted ...int) error {
	c, err := only(p)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := c.Hears(ctx, []int{phoneTone, outsideTone, music, thirdTone}, wanted...); err != nil {
		return fmt.Errorf("%s: %w", p.Number(), err)
	}
	return nil
}

// telephone makes a phone of its own sound, which is not registered yet.
func (s *stage) telephone(ctx context.Context, number, password string, tone int) (*phone.Phone, error) {
	p, err := phone.New(ctx, phone.Config{Server: s.lab.SIPAddress, BindIP: s.lab.IP, User: number, Password: password, Name: "Phone " + number, Tone: tone})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() error { return p.Vanish() })
	p.Behave(phone.Behaviour{})
	return p, nil
}

// denied wants Asterisk not to let a phone register.
func (s *stage) denied(ctx context.Context, number, password string) error {
	p, err := s.telephone(ctx, number, password, phoneTone)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var refused *phone.StatusError
	if err := p.Register(ctx); !errors.As(err, &refused) {
		return errors.Join(fmt.Errorf("%s may register", number), err)
	}
	return nil
}
