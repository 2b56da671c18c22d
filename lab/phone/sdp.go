package phone

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

const sdpType = "application/sdp"

// Payload types the phone speaks (RFC 3551; 101 is the customary number of telephone-event, RFC 4733).
const (
	payloadPCMU  = 0
	payloadPCMA  = 8
	payloadEvent = 101
)

// flow is the direction attribute of a stream as the writer of the SDP means it.
type flow struct{ send, receive bool }

func (f flow) String() string {
	switch f {
	case flow{true, true}:
		return "sendrecv"
	case flow{send: true}:
		return "sendonly"
	case flow{receive: true}:
		return "recvonly"
	}
	return "inactive"
}

func parseFlow(name string) (flow, bool) {
	for _, f := range []flow{{true, true}, {send: true}, {receive: true}, {}} {
		if f.String() == name {
			return f, true
		}
	}
	return flow{true, true}, false
}

// description is what the phone understands of an SDP body (RFC 4566, RFC 3264).
type description struct {
	addr     netip.AddrPort // where its writer receives RTP
	codecs   []uint8        // PCMU and PCMA, in its order
	event    uint8          // payload type of telephone-event
	hasEvent bool
	flow     flow
	audio    int // index of the audio stream
	streams  []*sdp.MediaDescription
}

func parseSDP(body []byte) (description, error) {
	var d description
	var session sdp.SessionDescription
	if err := session.Unmarshal(body); err != nil {
		return d, fmt.Errorf("sdp: %w", err)
	}
	d.streams = session.MediaDescriptions
	d.audio = slices.IndexFunc(d.streams, func(m *sdp.MediaDescription) bool {
		return m.MediaName.Media == "audio" && m.MediaName.Port.Value != 0
	})
	if d.audio < 0 {
		return d, fmt.Errorf("sdp: no audio: %w", ErrMedia)
	}
	stream := d.streams[d.audio]
	connection := stream.ConnectionInformation
	if connection == nil {
		connection = session.ConnectionInformation
	}
	if connection == nil || connection.Address == nil {
		return d, fmt.Errorf("sdp: no address: %w", ErrMedia)
	}
	ip, err := netip.ParseAddr(connection.Address.Address)
	if err != nil {
		return d, fmt.Errorf("sdp: address: %w", err)
	}
	d.addr = netip.AddrPortFrom(ip.Unmap(), uint16(stream.MediaName.Port.Value))
	d.readFormats(stream)
	if len(d.codecs) == 0 {
		return d, fmt.Errorf("sdp: no PCMU or PCMA: %w", ErrMedia)
	}
	d.flow = flow{true, true}
	for _, a := range slices.Concat(session.Attributes, stream.Attributes) { // the stream's own comes last and wins
		if f, ok := parseFlow(a.Key); ok {
			d.flow = f
		}
	}
	if ip.IsUnspecified() {
		d.flow.receive = false // the hold of RFC 2543: c=0.0.0.0
	}
	return d, nil
}

func (d *description) readFormats(stream *sdp.MediaDescription) {
	names := map[string]string{"0": "PCMU/8000", "8": "PCMA/8000"}
	for _, a := range stream.Attributes {
		if a.Key != "rtpmap" {
			continue
		}
		if number, name, ok := strings.Cut(a.Value, " "); ok {
			names[number] = strings.ToUpper(name)
		}
	}
	for _, format := range stream.MediaName.Formats {
		number, err := strconv.ParseUint(format, 10, 7)
		name := strings.TrimSuffix(names[format], "/1")
		switch {
		case err != nil:
		case name == "PCMU/8000" && number == payloadPCMU, name == "PCMA/8000" && number == payloadPCMA:
			d.codecs = append(d.codecs, uint8(number))
		case name == "TELEPHONE-EVENT/8000" && !d.hasEvent:
			d.event, d.hasEvent = uint8(number), true
		}
	}
}

// localSDP is what the phone writes about one of its streams.
type localSDP struct {
	addr     netip.AddrPort
	id       uint64 // of the session, constant
	version  uint64 // grows with every change
	codecs   []uint8
	event    uint8
	hasEvent bool
	flow     flow
}

// body writes the SDP; the answer to an offer has a line for each of its streams, the other ones refused (RFC 3264 6).
func (l localSDP) body(offer *description) []byte {
	var b strings.Builder
	ip := l.addr.Addr().String()
	fmt.Fprintf(&b, "v=0\r\no=- %d %d IN IP4 %s\r\ns=call\r\nc=IN IP4 %s\r\nt=0 0\r\n", l.id, l.version, ip, ip)
	if offer == nil {
		l.writeAudio(&b)
		return []byte(b.String())
	}
	for i, stream := range offer.streams {
		if i == offer.audio {
			l.writeAudio(&b)
			continue
		}
		fmt.Fprintf(&b, "m=%s 0 %s %s\r\n", stream.MediaName.Media, strings.Join(stream.MediaName.Protos, "/"),
			strings.Join(stream.MediaName.Formats, " "))
	}
	return []byte(b.String())
}

func (l localSDP) writeAudio(b *strings.Builder) {
	fmt.Fprintf(b, "m=audio %d RTP/AVP", l.addr.Port())
	for _, codec := range l.codecs {
		fmt.Fprintf(b, " %d", codec)
	}
	if l.hasEvent {
		fmt.Fprintf(b, " %d", l.event)
	}
	b.WriteString("\r\n")
	for _, codec := range l.codecs {
		fmt.Fprintf(b, "a=rtpmap:%d %s/8000\r\n", codec, codecName(codec))
	}
	if l.hasEvent {
		fmt.Fprintf(b, "a=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-15\r\n", l.event, l.event)
	}
	fmt.Fprintf(b, "a=ptime:20\r\na=%s\r\n", l.flow)
}

func codecName(payload uint8) string {
	if payload == payloadPCMA {
		return "PCMA"
	}
	return "PCMU"
}
