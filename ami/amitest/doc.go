// Package amitest is a scripted fake Asterisk: the other end of the socket for tests of everything that speaks the
// manager interface. It greets, logs in (by MD5 and by plain secret), says FullyBooted, answers actions by the
// handlers that a test gives it, plays transcripts of real exchanges, and fails in the ways a real one does.
//
//	srv := amitest.Start(t)
//	srv.Handle("Originate", func(s *amitest.Session, a ami.Action) {
//		s.Respond(a, "Success", "Message", "Originate successfully queued")
//		s.Event("OriginateResponse", "ActionID", a.Get("ActionID"), "Response", "Success")
//	})
//	client := ami.New(srv.Options())
//
// [Start] listens on 127.0.0.1; [New] has no listener and is reached by [Server.Dial] over net.Pipe, which works
// inside testing/synctest; [Launch] is for programs that are no tests. What a session sends is queued without bound, as if the kernel's buffers were: a handler
// never waits for the client.
//
// # Answers and events
//
// [Server.Handle] answers an action by code, [Server.Answers] all actions of a recorded exchange as they were answered
// there; [Server.Silent] never answers. [Server.Event] and [Server.Send] speak to every session that is logged in,
// [Server.Play] gives the events of a recording. What came is seen by [Server.Wait], each action once, and
// [Server.Received].
//
// # Faults
//
// [Server.Drop] cuts the connections, [Server.Freeze] makes them half-open, [Server.Stall] no longer reads,
// [Server.Split] writes a few bytes at a time, [Server.Refuse] has nobody listening, [Server.ShutDown] is an Asterisk that
// is about to end, [Session.Hangup] and [Session.Close] end one session in the middle of an answer.
package amitest
