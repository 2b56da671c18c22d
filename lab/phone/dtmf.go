package phone

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/emiago/sipgo/sip"
	"github.com/pion/rtp"
)

// Way is how a digit travels.
type Way uint8

// The ways of a digit.
const (
	RFC2833 Way = iota // telephone-event in RTP (RFC 4733, which replaced RFC 2833)
	INFO               // SIP INFO with application/dtmf-relay
)

func (w Way) String() string { return [...]string{"rfc2833", "info"}[w] }

// Shape of a digit in RTP, in frames of 20 ms.
const (
	eventSymbols = "0123456789*#ABCD" // position = event code
	eventFrames  = 5                  // while the key is down
	eventEnds    = 3                  // the last packet is sent three times (RFC 4733 2.5.1.4)
	eventGap     = 3                  // ordinary frames before the next digit
	eventVolume  = 10                 // -dBm0
	eventEndBit  = 0x80
)

// eventKey tells the packets of one digit from those of another.
type eventKey struct{ ssrc, timestamp uint32 }

// receiveEvent notes a digit when its first packet comes; all of its packets have one timestamp.
func (in *received) receiveEvent(packet *rtp.Packet) {
	key := eventKey{packet.SSRC, packet.Timestamp}
	if len(packet.Payload) < 4 || int(packet.Payload[0]) >= len(eventSymbols) || in.hasEvent && in.event == key {
		return
	}
	in.event, in.hasEvent = key, true
	in.digits += eventSymbols[packet.Payload[0] : packet.Payload[0]+1]
}

// transmitter makes the packets of an outgoing stream.
type transmitter struct {
	ssrc, timestamp uint32
	sequence        uint16
	talking         bool // the last frame was sent; the first after a pause has the marker
	keys            []pressed
	frame           int    // of the digit that is being sent
	began           uint32 // its timestamp
	gap             int
}

// pressed is a digit that waits to be sent.
type pressed struct {
	code uint8
	sent chan struct{} // closed when it is out; nil for all but the last of several
}

// next writes the packet of this frame and returns its size, 0 for none.
func (t *transmitter) next(s settings, frames [2][]byte, buffer []byte) int {
	at := t.timestamp
	t.timestamp += frameSamples
	if !s.send {
		t.talking = false
		return 0
	}
	header := rtp.Header{Version: 2, SSRC: t.ssrc, Timestamp: at, SequenceNumber: t.sequence, PayloadType: s.codec}
	payload := frames[0]
	if s.codec == payloadPCMA {
		payload = frames[1]
	}
	header.Marker = !t.talking
	t.talking = true
	if s.hasEvent && len(t.keys) > 0 && t.gap == 0 {
		payload = t.key(&header, s)
	} else if t.gap > 0 {
		t.gap--
	}
	n, err := header.MarshalTo(buffer)
	if err != nil {
		return 0
	}
	t.sequence++
	return n + copy(buffer[n:], payload)
}

// key makes the next packet of the digit in front.
func (t *transmitter) key(header *rtp.Header, s settings) []byte {
	if t.frame == 0 {
		t.began = header.Timestamp
	}
	t.frame++
	header.Marker = t.frame == 1
	header.PayloadType, header.Timestamp = s.sendEvent, t.began
	payload := []byte{t.keys[0].code, eventVolume, 0, 0}
	if t.frame > eventFrames {
		payload[1] |= eventEndBit
	}
	binary.BigEndian.PutUint16(payload[2:], uint16(min(t.frame, eventFrames+1)*frameSamples))
	if t.frame == eventFrames+eventEnds {
		if t.keys[0].sent != nil {
			close(t.keys[0].sent)
		}
		t.keys, t.frame, t.gap = t.keys[1:], 0, eventGap
	}
	return payload
}

// SendDTMF sends digits (0-9, *, #, A-D) one after the other and returns when the last one is out: for INFO when it was
// answered, for RFC2833 after about 0.2 s a digit.
func (c *Call) SendDTMF(ctx context.Context, digits string, way Way) error {
	digits = strings.ToUpper(digits)
	if digits == "" || strings.Trim(digits, eventSymbols) != "" {
		return fmt.Errorf("phone: dtmf: %q are no digits", digits)
	}
	if err := c.established(ctx, "a call that takes digits"); err != nil {
		return err
	}
	if way == INFO {
		return c.sendInfo(ctx, digits)
	}
	sent, err := c.media.press(digits)
	if err != nil {
		return err
	}
	select {
	case <-sent:
		return nil
	case <-c.media.done:
		return fmt.Errorf("phone: dtmf: %w: the call has ended", ErrState)
	case <-ctx.Done():
		return &WaitError{For: "the digits to be sent", Last: fmt.Sprintf("stream is %+v", c.media.settings()), Err: ctx.Err()}
	}
}

// press queues digits and returns a channel that is closed when the last one is out.
func (m *media) press(digits string) (chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.now.hasEvent {
		return nil, fmt.Errorf("phone: dtmf: telephone-event: %w", ErrMedia)
	}
	for i := range len(digits) {
		m.out.keys = append(m.out.keys, pressed{code: uint8(strings.IndexByte(eventSymbols, digits[i]))})
	}
	sent := make(chan struct{})
	m.out.keys[len(m.out.keys)-1].sent = sent
	return sent, nil
}

func (c *Call) sendInfo(ctx context.Context, digits string) error {
	for _, digit := range digits {
		body := fmt.Appendf(nil, "Signal=%c\r\nDuration=160\r\n", digit)
		res, err := c.ask(ctx, sip.INFO, func(req *sip.Request) { setBody(req, "application/dtmf-relay", body) })
		if err != nil {
			return err
		}
		if !res.IsSuccess() {
			return statusError(sip.INFO, res)
		}
	}
	return nil
}

// ask sends a request inside the dialog and waits for its final response.
func (c *Call) ask(ctx context.Context, method sip.RequestMethod, fill func(req *sip.Request)) (*sip.Response, error) {
	var answer *sip.Response
	var failure error
	c.p.mu.Lock()
	if c.info.State != Answered {
		defer c.p.mu.Unlock()
		return nil, fmt.Errorf("phone: %s: %w: %s", method, ErrState, c.describe())
	}
	req := c.request(method, c.nextCSeq())
	fill(req)
	c.send(req, func(res *sip.Response) {
		defer c.p.broadcast()
		answer = res
		if res == nil {
			failure = fmt.Errorf("phone: %s: %w", method, c.p.noAnswer())
		}
	})
	c.p.mu.Unlock()
	err := c.wait(ctx, "the answer to "+string(method), func() (bool, error) { return answer != nil, failure })
	return answer, err
}
