package phone

import (
	"net/netip"
	"slices"
)

// direction is what this side does now: it does not receive from a party it holds, nor send to one that holds it.
func (c *Call) direction() flow {
	return flow{send: !c.info.RemoteHold, receive: !c.info.LocalHold}
}

// describeLocal starts the SDP of this side; every new one has a higher version.
func (c *Call) describeLocal() localSDP {
	c.sdpCount++
	return localSDP{
		addr: netip.AddrPortFrom(c.p.addr.Addr(), c.media.port), id: c.sdpID, version: c.sdpCount,
		codecs: []uint8{payloadPCMU, payloadPCMA}, event: c.event, hasEvent: true,
	}
}

// offer makes an offer of everything the phone can do.
func (c *Call) offer() []byte {
	local := c.describeLocal()
	local.flow = flow{send: true, receive: !c.info.LocalHold}
	c.offered = true
	return local.body(nil)
}

// receiveSDPOffer agrees to an offer and makes its answer (RFC 3264 6.1): the common codecs in the offer's order, with the
// offer's payload types.
func (c *Call) receiveSDPOffer(body []byte) ([]byte, error) {
	offer, err := parseSDP(body)
	if err != nil {
		return nil, err
	}
	if offer.hasEvent {
		c.event = offer.event
	}
	c.info.RemoteHold = !offer.flow.receive
	local := c.describeLocal()
	local.codecs, local.hasEvent = offer.codecs, offer.hasEvent
	local.flow = flow{send: offer.flow.receive, receive: offer.flow.send && !c.info.LocalHold}
	c.apply(offer)
	return local.body(&offer), nil
}

// receiveSDPAnswer takes the answer to this side's offer; without a new offer a body says nothing new.
func (c *Call) receiveSDPAnswer(body []byte) error {
	if len(body) == 0 && !c.offered {
		return nil
	}
	answer, err := parseSDP(body)
	if err != nil {
		return err
	}
	c.offered = false
	if !c.info.LocalHold {
		c.info.RemoteHold = !answer.flow.receive
	}
	c.apply(answer)
	return nil
}

// apply makes the media follow what the other side has said.
func (c *Call) apply(remote description) {
	codec := remote.codecs[0]
	if !slices.Contains([]uint8{payloadPCMU, payloadPCMA}, codec) {
		return
	}
	c.info.Codec = codecName(codec)
	c.media.set(settings{
		remote: remote.addr, codec: codec, send: c.direction().send && remote.addr.Addr().IsValid() && !remote.addr.Addr().IsUnspecified(),
		sendEvent: remote.event, hasEvent: remote.hasEvent, receiveEvent: c.event,
	})
}
