package phone

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

// quick is a T1 that makes the protocol's patience short: 64*T1 is a third of a second.
const quick = 5 * time.Millisecond

// peer is the other side of a call, written by hand in each test, for what a well-behaved phone never does.
type peer struct {
	t    *testing.T
	conn *net.UDPConn
	from netip.AddrPort // of the newest message
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	t.Cleanup(func() { must(t, conn.Close()) })
	return &peer{t: t, conn: conn}
}

func (p *peer) addr() string { return p.conn.LocalAddr().String() }

func (p *peer) uri() string { return "sip:900@" + p.addr() }

// next reads until a message whose text starts so; all others are passed over.
func (p *peer) next(ctx context.Context, start string) sip.Message {
	p.t.Helper()
	end, _ := ctx.Deadline()
	must(p.t, p.conn.SetReadDeadline(end))
	buffer := make([]byte, maxDatagram)
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			p.t.Fatalf("waiting for %q: %v", start, err)
		}
		if !strings.HasPrefix(string(buffer[:n]), start) {
			continue
		}
		message, err := sip.ParseMessage(buffer[:n])
		must(p.t, err)
		p.from = from
		return message
	}
}

func (p *peer) request(ctx context.Context, method sip.RequestMethod) *sip.Request {
	p.t.Helper()
	return p.next(ctx, string(method)+" ").(*sip.Request)
}

func (p *peer) response(ctx context.Context, code int) *sip.Response {
	p.t.Helper()
	return p.next(ctx, fmt.Sprintf("SIP/2.0 %d ", code)).(*sip.Response)
}

// reply answers a request; headers are "Name: value".
func (p *peer) reply(req *sip.Request, code int, body string, headers ...string) {
	p.t.Helper()
	res := sip.NewResponseFromRequest(req, code, phrase(code), nil)
	if tag := tagOf(req.To().Params); tag == "" {
		res.To().Params.Add("tag", "peer")
	}
	res.AppendHeader(sip.NewHeader("Contact", "<"+p.uri()+">"))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		res.AppendHeader(sip.NewHeader(name, value))
	}
	if body != "" {
		setBody(res, sdpType, []byte(body))
	}
	p.send(res.String())
}

func (p *peer) send(text string) {
	p.t.Helper()
	_, err := p.conn.WriteToUDPAddrPort([]byte(text), p.from)
	must(p.t, err)
}

// call sends a request of this side to a phone. Without a to tag it starts a dialog.
func (p *peer) call(phone *Phone, method sip.RequestMethod, cseq int, toTag, body string, headers ...string) {
	p.t.Helper()
	p.from = phone.Addr()
	if toTag != "" {
		toTag = ";tag=" + toTag
	}
	lines := []string{
		fmt.Sprintf("%s %s SIP/2.0", method, phone.URI()),
		fmt.Sprintf("Via: SIP/2.0/UDP %s;branch=z9hG4bK-%s-%d;rport", p.addr(), method, cseq),
		"From: \"Peer\" <sip:900@127.0.0.1>;tag=peer",
		fmt.Sprintf("To: <%s>%s", phone.URI(), toTag),
		"Call-ID: the-call",
		fmt.Sprintf("CSeq: %d %s", cseq, method),
		fmt.Sprintf("Contact: <%s>", p.uri()),
		"Max-Forwards: 70",
	}
	if body != "" && !strings.Contains(strings.Join(headers, ""), "Content-Type") {
		lines = append(lines, "Content-Type: application/sdp")
	}
	lines = append(lines, headers...)
	lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)), "", body)
	p.send(strings.Join(lines, "\r\n"))
}

// sdp is a description whose RTP goes nowhere that matters.
func (p *peer) sdp(lines ...string) string {
	if len(lines) == 0 {
		lines = []string{"m=audio 9 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000"}
	}
	head := []string{"v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"}
	return strings.Join(append(head, lines...), "\r\n") + "\r\n"
}
