// Package phone is a SIP telephone for the lab: it registers, dials, answers, holds, transfers, sends and recognises DTMF and
// talks RTP, so that tests and the demo see what a user with a desk phone would see.
//
// A [Phone] owns one UDP socket on a loopback address and any number of calls; a [Call] owns one RTP socket. What the phone
// does with an incoming call is its [Behaviour]: answer after a while, refuse with a status, ring for ever, or wait for
// [Call.Answer] and [Call.Reject]. Every wait takes a context; when its deadline passes the error is a [WaitError], which says
// what was waited for and how far the call had come.
//
//	p, err := phone.New(ctx, phone.Config{Server: "127.0.0.1:5060", BindIP: "127.0.0.1", User: "801", Password: "secret"})
//	defer p.Close()
//	err = p.Register(ctx)
//	call, err := p.Dial(ctx, "802")
//	err = call.Answered(ctx)
//	err = call.SendDTMF(ctx, "12#", phone.RFC2833)
//	err = call.Hangup(ctx)
//
// Messages are read and written with sipgo's sip package; the transactions (RFC 3261 17) are the phone's own, because a test
// needs the messages handled strictly in the order in which they came, and every goroutine and timer gone when Close returns.
// All signalling state of a phone is behind one mutex: one goroutine reads the socket, timers and callers take turns with it.
// Each call adds two goroutines for its media while its RTP socket is open.
package phone
