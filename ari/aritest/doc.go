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
// inside testing/synctest. What a session sends is queued without bound, as if the kernel's buffers were.
package aritest
