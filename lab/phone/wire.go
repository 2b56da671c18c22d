package phone

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// largest UDP datagram.
const maxDatagram = 65535

// read handles the messages of the socket one after the other until the socket is closed.
func (p *Phone) read() {
	defer p.running.Done()
	buffer := make([]byte, maxDatagram)
	for {
		n, peer, err := p.conn.ReadFromUDPAddrPort(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || isKeepAlive(buffer[:n]) {
			continue
		}
		peer = netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
		p.receive(buffer[:n], peer)
	}
}

func isKeepAlive(data []byte) bool {
	return strings.Trim(string(data), "\r\n\x00") == ""
}

func (p *Phone) receive(data []byte, peer netip.AddrPort) {
	message, err := sip.ParseMessage(data)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.trace(false, peer, data)
	if err != nil || message.CSeq() == nil || message.CallID() == nil || message.Via() == nil ||
		message.From() == nil || message.To() == nil {
		p.log.Debug("a datagram is no complete SIP message", "peer", peer, "error", err)
		return
	}
	switch message := message.(type) {
	case *sip.Request:
		message.SetSource(peer.String())
		p.receiveRequest(message, peer)
	case *sip.Response:
		p.receiveResponse(message)
	}
}

// write sends a message; a lost one is repeated by its transaction, so a failed write is no more than a lost message.
func (p *Phone) write(text []byte, peer netip.AddrPort) {
	p.trace(true, peer, text)
	if _, err := p.conn.WriteToUDPAddrPort(text, peer); err != nil {
		p.log.Debug("a SIP message was not sent", "peer", peer, "error", err)
	}
}

func (p *Phone) trace(sent bool, peer netip.AddrPort, text []byte) {
	if p.cfg.Trace != nil {
		p.cfg.Trace(sent, peer, string(text))
	}
}

// newToken makes a random tag, branch or Call-ID of n characters.
func newToken(n int) string {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyz"
	token := make([]byte, n)
	for i := range token {
		token[i] = letters[rand.IntN(len(letters))]
	}
	return string(token)
}

// via makes the Via header of a new transaction (RFC 3261 8.1.1.7, RFC 3581).
func (p *Phone) via() *sip.ViaHeader {
	return &sip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: "UDP",
		Host: p.addr.Addr().String(), Port: int(p.addr.Port()),
		Params: sip.HeaderParams{{K: "branch", V: sip.RFC3261BranchMagicCookie + newToken(16)}, {K: "rport"}},
	}
}

// newRequest makes a request with everything but a body; from and to carry their tags.
func (p *Phone) newRequest(method sip.RequestMethod, uri sip.Uri, from *sip.FromHeader, to *sip.ToHeader, callID string, cseq uint32) *sip.Request {
	req := sip.NewRequest(method, uri)
	maxForwards := sip.MaxForwardsHeader(70)
	id := sip.CallIDHeader(callID)
	req.AppendHeader(p.via())
	req.AppendHeader(&maxForwards)
	req.AppendHeader(from)
	req.AppendHeader(to)
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: cseq, MethodName: method})
	req.AppendHeader(sip.NewHeader("User-Agent", userAgent))
	req.SetBody(nil)
	return req
}

// setBody puts a body with its type into a message.
func setBody(message sip.Message, contentType string, body []byte) {
	kind := sip.ContentTypeHeader(contentType)
	message.AppendHeader(&kind)
	message.SetBody(body)
}

// destination is the address a URI stands for; hosts that are no IP address, as in some Contacts, mean fallback.
func destination(uri sip.Uri, fallback netip.AddrPort) netip.AddrPort {
	ip, err := netip.ParseAddr(strings.Trim(uri.Host, "[]"))
	if err != nil {
		return fallback
	}
	port := uri.Port
	if port == 0 {
		port = defaultPort
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(port))
}

func cloneFrom(h *sip.FromHeader) *sip.FromHeader { return sip.HeaderClone(h).(*sip.FromHeader) }

func cloneTo(h *sip.ToHeader) *sip.ToHeader { return sip.HeaderClone(h).(*sip.ToHeader) }

func headerValue(message sip.Message, name string) string {
	headers := message.GetHeaders(name)
	if len(headers) == 0 {
		return ""
	}
	return headers[0].Value()
}

func tagOf(params sip.HeaderParams) string {
	tag, _ := params.Get("tag")
	return tag
}

// seconds reads the leading number of a header such as "Expires: 120".
func seconds(value string) (int, bool) {
	value, _, _ = strings.Cut(value, ";")
	n, err := strconv.Atoi(strings.TrimSpace(value))
	return n, err == nil && n >= 0
}
