package phone

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtp"
)

// listener is the far end of a call's stream.
type listener struct {
	t    *testing.T
	conn *net.UDPConn
}

func listen(t *testing.T) *listener {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	t.Cleanup(func() { must(t, conn.Close()) })
	return &listener{t, conn}
}

func (l *listener) next(t *testing.T) *rtp.Packet {
	t.Helper()
	end, _ := deadline(t).Deadline()
	must(t, l.conn.SetReadDeadline(end))
	buffer := make([]byte, maxPacket)
	n, err := l.conn.Read(buffer)
	must(t, err)
	var packet rtp.Packet
	must(t, packet.Unmarshal(buffer[:n]))
	return &packet
}

// stream makes a call whose far end is a listener.
func stream(t *testing.T, tone int, format string) (*Call, *listener) {
	t.Helper()
	ctx := deadline(t)
	far, other := listen(t), newPeer(t)
	p, _ := start(t, Config{User: "801", Tone: tone})
	p.Behave(Behaviour{})
	media := fmt.Sprintf("m=audio %d RTP/AVP %s 97", localAddr(far.conn).Port(), format)
	other.call(p, "INVITE", 1, "", other.sdp(media, "a=rtpmap:97 telephone-event/8000"))
	ok := other.response(ctx, 200)
	other.call(p, "ACK", 1, tagOf(ok.To().Params), "")
	c, err := p.Accept(ctx)
	must(t, err)
	must(t, c.established(ctx, "the ACK"))
	return c, far
}

func TestStream(t *testing.T) {
	for _, test := range []struct {
		format string
		codec  uint8
		tone   int
		silent byte
	}{{"0", payloadPCMU, 0, 0xff}, {"8", payloadPCMA, 0, 0xd5}, {"8 0", payloadPCMA, 400, 0}, {"0 8", payloadPCMU, 1000, 0}} {
		t.Run(fmt.Sprintf("%s %d Hz", test.format, test.tone), func(t *testing.T) {
			_, far := stream(t, test.tone, test.format)
			first := far.next(t)
			if !first.Marker {
				t.Error("the first packet has no marker")
			}
			for i := 1; i <= 5; i++ {
				packet := far.next(t)
				if packet.Marker || packet.SSRC != first.SSRC || packet.SequenceNumber != first.SequenceNumber+uint16(i) ||
					packet.Timestamp != first.Timestamp+uint32(i*160) || packet.PayloadType != test.codec || len(packet.Payload) != 160 {
					t.Errorf("packet %d after %v is %v with %d bytes", i, first, packet, len(packet.Payload))
				}
				if loud(test.codec, packet.Payload) != (test.tone > 0) {
					t.Errorf("packet %d is loud: %v", i, test.tone == 0)
				}
				if test.tone == 0 && !slices.Equal(packet.Payload, slices.Repeat([]byte{test.silent}, 160)) {
					t.Errorf("packet %d is not silent: %x", i, packet.Payload)
				}
			}
		})
	}
}

// TestDigitPackets is RFC 4733 2.5: one timestamp, marker on the first packet, growing duration, the end three times.
func TestDigitPackets(t *testing.T) {
	ctx := deadline(t)
	c, far := stream(t, 0, "0")
	done := make(chan error)
	go func() { done <- c.SendDTMF(ctx, "9#", RFC2833) }()
	type event struct {
		Code, Flags byte
		Duration    uint16
		Marker      bool
	}
	var events []event
	var times []uint32
	var last *rtp.Packet
	for len(events) < 16 {
		packet := far.next(t)
		if last != nil && packet.SequenceNumber != last.SequenceNumber+1 {
			t.Errorf("sequence number %d after %d", packet.SequenceNumber, last.SequenceNumber)
		}
		last = packet
		if packet.PayloadType != 97 {
			continue
		}
		b := packet.Payload
		events = append(events, event{b[0], b[1], uint16(b[2])<<8 | uint16(b[3]), packet.Marker})
		times = append(times, packet.Timestamp)
	}
	must(t, <-done)
	var want []event
	for _, code := range []byte{9, 11} {
		for i := 1; i <= 5; i++ {
			want = append(want, event{code, 10, uint16(160 * i), i == 1})
		}
		for range 3 {
			want = append(want, event{code, 0x80 | 10, 960, false})
		}
	}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if first := slices.Repeat(times[:1], 8); !slices.Equal(times[:8], first) || times[8] != times[0]+160*11 {
		t.Errorf("timestamps are %v", times)
	}
}

func TestDigitsAreToldApart(t *testing.T) {
	var in received
	packet := func(code byte, timestamp uint32) *rtp.Packet {
		return &rtp.Packet{Header: rtp.Header{SSRC: 1, Timestamp: timestamp}, Payload: []byte{code, 10, 0, 160}}
	}
	for _, p := range []*rtp.Packet{packet(5, 100), packet(5, 100), packet(5, 100), packet(5, 900), packet(10, 1800), packet(16, 2600), {Payload: []byte{1}}} {
		in.receiveEvent(p)
	}
	if in.digits != "55*" {
		t.Errorf("digits are %q, want 55*", in.digits)
	}
}

func TestWhatIsNoRTP(t *testing.T) {
	c, far := stream(t, 0, "0")
	ctx := deadline(t)
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(c.p.addr.Addr(), c.media.port))
	valid := &rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 0}, Payload: make([]byte, 160)}
	text, err := valid.Marshal()
	must(t, err)
	rtcp, comfort, old := slices.Clone(text), slices.Clone(text), slices.Clone(text)
	rtcp[1], comfort[1], old[0] = 200, 13, 0x40
	for _, datagram := range [][]byte{rtcp, comfort, old, text[:11], []byte("hello"), text} {
		_, err := far.conn.WriteToUDP(datagram, to)
		must(t, err)
	}
	must(t, c.Until(ctx, "the one packet", func(s Stats) bool { return s.PacketsIn > 0 }))
	if s := c.Stats(); s.PacketsIn != 1 || s.SoundIn != 1 { // zero bytes are loud in PCMU
		t.Errorf("stats: %+v, want one packet", s)
	}
}

func TestDigitsThatCannotBeSent(t *testing.T) {
	ctx := deadline(t)
	other := newPeer(t)
	p, _ := start(t, Config{User: "801"})
	p.Behave(Behaviour{})
	other.call(p, "INVITE", 1, "", other.sdp("m=audio 9 RTP/AVP 0"))
	ok := other.response(ctx, 200)
	other.call(p, "ACK", 1, tagOf(ok.To().Params), "")
	c, err := p.Accept(ctx)
	must(t, err)
	if err := c.SendDTMF(ctx, "1", RFC2833); !errors.Is(err, ErrMedia) {
		t.Errorf("without telephone-event: %v, want ErrMedia", err)
	}
	for _, digits := range []string{"", "12x", "E"} {
		if err := c.SendDTMF(ctx, digits, INFO); err == nil {
			t.Errorf("%q was sent", digits)
		}
	}
}

func TestG711(t *testing.T) {
	// The ends and middles of the scales, from the tables of G.711; PCMA with its even bits inverted.
	for _, test := range []struct {
		sample int16
		u, a   byte
	}{{0, 0xff, 0xd5}, {-1, 0x7f, 0x55}, {16, 0xfd, 0xd4}, {1000, 0xce, 0xfa}, {-1000, 0x4e, 0x7a}, {32767, 0x80, 0xaa}, {-32768, 0x00, 0x2a}} {
		if got := encodePCMU(test.sample); got != test.u {
			t.Errorf("PCMU of %d is %#x, want %#x", test.sample, got, test.u)
		}
		if got := encodePCMA(test.sample); got != test.a {
			t.Errorf("PCMA of %d is %#x, want %#x", test.sample, got, test.a)
		}
	}
}

func TestSDP(t *testing.T) {
	head := "v=0\r\no=root 1 1 IN IP4 10.0.0.1\r\ns=x\r\n"
	addr := netip.MustParseAddrPort
	for name, test := range map[string]struct {
		body string
		want description
	}{
		"stream's own address and direction": {
			head + "c=IN IP4 10.0.0.1\r\nt=0 0\r\na=sendonly\r\nm=audio 4000 RTP/AVP 8 0 18 101\r\nc=IN IP4 10.0.0.2\r\na=rtpmap:101 telephone-event/8000\r\na=inactive\r\n",
			description{addr: addr("10.0.0.2:4000"), codecs: []uint8{8, 0}, event: 101, hasEvent: true},
		},
		"session's direction": {
			head + "c=IN IP4 10.0.0.1\r\nt=0 0\r\na=sendonly\r\nm=audio 4000 RTP/AVP 0\r\n",
			description{addr: addr("10.0.0.1:4000"), codecs: []uint8{0}, flow: flow{send: true}},
		},
		"hold of RFC 2543": {
			head + "c=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n",
			description{addr: addr("0.0.0.0:4000"), codecs: []uint8{0}, flow: flow{send: true}},
		},
		"video before audio": {
			head + "c=IN IP4 10.0.0.1\r\nt=0 0\r\nm=video 5000 RTP/AVP 99\r\nm=audio 4000 RTP/AVP 0\r\na=rtpmap:0 pcmu/8000/1\r\n",
			description{addr: addr("10.0.0.1:4000"), codecs: []uint8{0}, flow: flow{true, true}, audio: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseSDP([]byte(test.body))
			must(t, err)
			got.streams = nil
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(description{}, flow{}), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, body := range []string{"", "v=0\r\n", head + "t=0 0\r\n", head + "t=0 0\r\nm=audio 4000 RTP/AVP 0\r\n",
		head + "c=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\n", head + "c=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n"} {
		if d, err := parseSDP([]byte(body)); err == nil {
			t.Errorf("%q is taken for %+v", body, d)
		}
	}
}

func TestAnswerRefusesOtherStreams(t *testing.T) {
	offer, err := parseSDP([]byte("v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=video 5000 RTP/AVP 99\r\nm=audio 4000 RTP/AVP 8\r\n"))
	must(t, err)
	local := localSDP{addr: netip.MustParseAddrPort("10.0.0.9:7000"), id: 5, version: 2, codecs: offer.codecs, flow: flow{true, true}}
	want := strings.Join([]string{"v=0", "o=- 5 2 IN IP4 10.0.0.9", "s=call", "c=IN IP4 10.0.0.9", "t=0 0", "m=video 0 RTP/AVP 99",
		"m=audio 7000 RTP/AVP 8", "a=rtpmap:8 PCMA/8000", "a=ptime:20", "a=sendrecv", ""}, "\r\n")
	if diff := cmp.Diff(want, string(local.body(&offer))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParty(t *testing.T) {
	for value, want := range map[string]Party{
		`"Anna \"A\" \\ B" <sip:8%2301@pbx;user=phone>;tag=1`: {Number: "8#01", Name: `Anna "A" \ B`, URI: "sip:8%2301@pbx;user=phone"},
		`张三 <sip:801@pbx>`:                                    {Number: "801", Name: "张三", URI: "sip:801@pbx"},
		`<tel:+4930123;phone-context=x>`:                      {Number: "+4930123", URI: "tel:+4930123;phone-context=x"},
		`sip:801@pbx;party=calling`:                           {Number: "801", URI: "sip:801@pbx"},
	} {
		if got, ok := parseParty(value); !ok || got != want {
			t.Errorf("%s is %+v (%v), want %+v", value, got, ok, want)
		}
	}
	for _, value := range []string{"", "<>", `"unfinished`} {
		if got, ok := parseParty(value); ok {
			t.Errorf("%q is taken for %+v", value, got)
		}
	}
}
