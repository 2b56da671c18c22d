// Package aritest is a scripted fake of Asterisk's REST interface: the other end of the socket for tests of everything
// that speaks it. It asks for the password, takes applications and gives their names to the last who comes, answers
// requests by the handlers that a test gives it, sends events, plays transcripts of real exchanges, and fails in the ways
// a real one does.
//
//	srv := aritest.Start(t)
//	srv.Handle("POST /channels", func(r aritest.Request) aritest.Answer {
//		srv.Event("StasisStart", `"channel":{"id":"`+r.Field("channelId")+`"}`)
//		return aritest.OK(`{"id":"` + r.Field("channelId") + `"}`)
//	})
//	client := ari.New(srv.Options())
//
// [Start] listens on 127.0.0.1; [New] has no listener and is reached by [Server.Dial] over net.Pipe, which works
// inside testing/synctest; [Launch] is for programs that are no tests. What a session sends is queued without bound, as
// if the kernel's buffers were.
//
// # Answers and events
//
// [Server.Handle] and [Server.Answer] answer a route, [Server.Answers] all requests of a recorded exchange as they were
// answered there; [Server.Silent] never answers. [Server.Event] and [Server.Send] speak on every socket, [Server.Play]
// gives the events of a recording. What came is seen by [Server.Wait], each request once, and [Server.Received].
//
// # Faults
//
// [Server.Drop] cuts the connections, [Server.Freeze] makes them half-open, [Server.Hush] takes requests and answers none,
// [Server.Refuse] has nobody listening, [Server.Replace] gives the application's name to another, [Server.Hangup] closes
// with a code, [Server.ShutDown] is an Asterisk that is about to end.
package aritest
