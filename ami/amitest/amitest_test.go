package amitest_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// talk sends text to a server and returns all that it says until it closes, with the line ends as they are.
func talk(t *testing.T, srv *amitest.Server, text string) string {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", srv.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(bufio.NewReader(conn))
	if err != nil {
		t.Fatal(err)
	}
	return string(said)
}

const (
	login  = "Action: Login\nActionID: 1\nUsername: bridge\nSecret: secret\n\n"
	logoff = "Action: Logoff\n\n"
)

func TestItSpeaksAsAsterisk(t *testing.T) {
	for name, c := range map[string]struct {
		options amitest.Options
		text    string
		want    string
	}{
		"login": {amitest.Options{Version: "5.0.4"}, login + "action: ping\nactionid: 2\n\n" + logoff,
			"Asterisk Call Manager/5.0.4\r\nResponse: Success\r\nActionID: 1\r\nMessage: Authentication accepted\r\n\r\n" +
				"Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: 11\r\nLastReload: 11\r\nStatus: Fully Booted\r\n\r\n" +
				"Event: SuccessfulAuth\r\nPrivilege: security,all\r\nSeverity: Informational\r\nService: AMI\r\nAccountID: bridge\r\nUsingPassword: 0\r\n\r\n" +
				"Response: Success\r\nActionID: 2\r\nPing: Pong\r\nTimestamp: 1795286308.345087\r\n\r\n" +
				"Response: Goodbye\r\nMessage: Thanks for all the fish.\r\n\r\n"},
		"wrong secret": {amitest.Options{}, "Action: Login\nUsername: bridge\nSecret: no\n\n",
			"Asterisk Call Manager/11.0.0\r\nResponse: Error\r\nMessage: Authentication failed\r\n\r\n"},
		"before the login": {amitest.Options{}, "Action: Ping\n\n" + logoff,
			"Asterisk Call Manager/11.0.0\r\nResponse: Error\r\nMessage: Permission denied\r\n\r\n" +
				"Response: Goodbye\r\nMessage: Thanks for all the fish.\r\n\r\n"},
		"unknown action": {amitest.Options{NoEvents: true, NoMD5: true, Split: 1}, login + "Action: Nope\n\n" + logoff,
			"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nActionID: 1\r\nMessage: Authentication accepted\r\n\r\n" +
				"Response: Error\r\nMessage: Invalid/unknown command: Nope. Use Action: ListCommands to show available commands.\r\n\r\n" +
				"Response: Goodbye\r\nMessage: Thanks for all the fish.\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := talk(t, amitest.Start(t, c.options), c.text); got != c.want {
				t.Errorf("it says\n%q, want\n%q", got, c.want)
			}
		})
	}
}

func TestWaitReturnsEachActionOnce(t *testing.T) {
	srv := amitest.Start(t)
	talk(t, srv, login+"Action: Ping\nN: 1\n\nAction: Ping\nN: 2\n\n"+logoff)
	if a, b := srv.Wait("ping"), srv.Wait("Ping"); a.Get("N") != "1" || b.Get("N") != "2" {
		t.Errorf("waited for %v and %v", a, b)
	}
	srv.WaitLogins(1)
	srv.WaitGone()
	if n := len(srv.Received("")); n != 4 {
		t.Errorf("%d actions came", n)
	}
	if srv.Logins() != 1 || srv.Dials() != 1 {
		t.Errorf("%d logins, %d connections", srv.Logins(), srv.Dials())
	}
}

func TestHandlersAnswer(t *testing.T) {
	srv := amitest.Start(t, amitest.Options{NoEvents: true})
	srv.Handle("Status", func(s *amitest.Session, a ami.Action) {
		s.List(a, "will follow", []ami.Message{amitest.NewEvent("Status", "Channel", "c"), ami.ParseMessage("Event: Status\r\nX: y\r\nactionid: z\r\n")}, "StatusComplete")
	})
	got := talk(t, srv, login+"Action: Status\nActionID: 7\n\n"+logoff)
	want := "Response: Success\r\nActionID: 7\r\nEventList: start\r\nMessage: will follow\r\n\r\n" +
		"Event: Status\r\nActionID: 7\r\nChannel: c\r\n\r\nEvent: Status\r\nX: y\r\nactionid: 7\r\n\r\n" +
		"Event: StatusComplete\r\nActionID: 7\r\nEventList: Complete\r\nListItems: 2\r\n\r\n"
	if !strings.Contains(got, want) {
		t.Errorf("it says %q", got)
	}
}

func TestAnswersOfATranscript(t *testing.T) {
	srv := amitest.Start(t, amitest.Options{NoEvents: true})
	srv.Answers("../testdata/captures/22-core.ami", "../testdata/captures/22-core.sent")
	got := talk(t, srv, login+"Action: CoreStatus\nActionID: 7\n\nAction: CoreShowChannels\nActionID: 8\n\n"+logoff)
	for _, want := range []string{"ActionID: 7\r\nCoreStartupDate: ", "Event: CoreShowChannelsComplete\r\nActionID: 8\r\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("it says %q", got)
		}
	}
}
