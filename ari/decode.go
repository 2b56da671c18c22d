package ari

import "time"

// The functions of this file make a value out of its JSON. What is no object gives nil, and what is in it and not known is
// passed over.

func newChannel(object string) *Channel { return parse(object, (*Channel).set) }

func (c *Channel) set(name, value string) {
	switch name {
	case "id":
		c.ID = plain(value)
	case "name":
		c.Name = plain(value)
	case "state":
		c.State = plain(value)
	case "caller":
		walk(value, c.Caller.set)
	case "connected":
		walk(value, c.Connected.set)
	case "accountcode":
		c.Account = plain(value)
	case "dialplan":
		walk(value, c.Dialplan.set)
	case "creationtime":
		c.Created = timeOf(value)
	case "language":
		c.Language = plain(value)
	case "channelvars":
		c.Variables = value
	}
}

func (p *Party) set(name, value string) {
	switch name {
	case "name":
		p.Name = plain(value)
	case "number":
		p.Number = plain(value)
	}
}

func (d *Dialplan) set(name, value string) {
	switch name {
	case "context":
		d.Context = plain(value)
	case "exten":
		d.Exten = plain(value)
	case "priority":
		d.Priority = number(value)
	case "app_name":
		d.App = plain(value)
	case "app_data":
		d.AppData = plain(value)
	}
}

func newBridge(object string) *Bridge { return parse(object, (*Bridge).set) }

func (b *Bridge) set(name, value string) {
	switch name {
	case "id":
		b.ID = plain(value)
	case "name":
		b.Name = plain(value)
	case "bridge_type":
		b.Type = plain(value)
	case "technology":
		b.Technology = plain(value)
	case "bridge_class":
		b.Class = plain(value)
	case "creator":
		b.Creator = plain(value)
	case "channels":
		b.Channels = list(value)
	case "creationtime":
		b.Created = timeOf(value)
	}
}

func newEndpoint(object string) *Endpoint { return parse(object, (*Endpoint).set) }

func (e *Endpoint) set(name, value string) {
	switch name {
	case "technology":
		e.Technology = plain(value)
	case "resource":
		e.Resource = plain(value)
	case "state":
		e.State = plain(value)
	case "channel_ids":
		e.Channels = list(value)
	}
}

func newContact(object string) *Contact { return parse(object, (*Contact).set) }

func (c *Contact) set(name, value string) {
	switch name {
	case "uri":
		c.URI = plain(value)
	case "contact_status":
		c.Status = plain(value)
	case "aor":
		c.AOR = plain(value)
	case "roundtrip_usec":
		c.RoundTrip = time.Duration(number(plain(value))) * time.Microsecond
	}
}

func newDeviceState(object string) *DeviceState { return parse(object, (*DeviceState).set) }

func (d *DeviceState) set(name, value string) {
	switch name {
	case "name":
		d.Name = plain(value)
	case "state":
		d.State = plain(value)
	}
}

func newPlayback(object string) *Playback { return parse(object, (*Playback).set) }

func (p *Playback) set(name, value string) {
	switch name {
	case "id":
		p.ID = plain(value)
	case "media_uri":
		p.Media = plain(value)
	case "target_uri":
		p.Target = plain(value)
	case "language":
		p.Language = plain(value)
	case "state":
		p.State = plain(value)
	}
}

func newRecording(object string) *Recording { return parse(object, (*Recording).set) }

func (r *Recording) set(name, value string) {
	switch name {
	case "name":
		r.Name = plain(value)
	case "format":
		r.Format = plain(value)
	case "target_uri":
		r.Target = plain(value)
	case "state":
		r.State = plain(value)
	case "cause":
		r.Cause = plain(value)
	case "duration":
		r.Duration = time.Duration(number(value)) * time.Second
	}
}

func newAttribute(object string) *Attribute { return parse(object, (*Attribute).set) }

func (a *Attribute) set(name, value string) {
	switch name {
	case "attribute":
		a.Name = plain(value)
	case "value":
		a.Value = plain(value)
	}
}

// parse makes a T of an object by setting its members, nil of anything else.
func parse[T any](object string, set func(target *T, name, value string)) *T {
	target := new(T)
	if !walk(object, func(name, value string) { set(target, name, value) }) {
		return nil
	}
	return target
}

// parseAll makes the Ts of an array; what is no object in it is passed over.
func parseAll[T any](array string, one func(object string) *T) ([]T, bool) {
	all := []T{}
	ok := elements(array, func(value string) {
		if target := one(value); target != nil {
			all = append(all, *target)
		}
	})
	return all, ok
}

func timeOf(value string) time.Time { return parseTime(plain(value)) }
