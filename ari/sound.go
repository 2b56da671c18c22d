package ari

import (
	"context"
	"net/http"
	"time"
)

// A Sound is what is played.
type Sound struct {
	ID       string   // of the playback; required, see NewID
	Media    []string // such as sound:beep, recording:NAME, number:42, digits:42, characters:abc, tone:ring
	Language string   // "" is the channel's
	Offset   time.Duration
}

// Play plays sounds to a channel in Stasis and returns at once. PlaybackFinished tells the end, also, with the state
// "failed", that there is no such file.
func (c *Client) Play(ctx context.Context, channel string, s Sound) (Playback, error) {
	return c.play(ctx, "channels", channel, s)
}

func (c *Client) play(ctx context.Context, kind, id string, s Sound) (Playback, error) {
	op := "POST /" + kind + "/.../play"
	if s.ID == "" {
		return Playback{}, &ArgumentError{Op: op, Name: "playbackId", Reason: "is empty"}
	}
	if len(s.Media) == 0 {
		return Playback{}, &ArgumentError{Op: op, Name: "media", Reason: "is empty"}
	}
	args := form{"playbackId": s.ID, "media": s.Media, "lang": s.Language, "offsetms": int(s.Offset / time.Millisecond)}
	return one(ctx, c, http.MethodPost, newPlayback, args, kind, id, "play")
}

// StopPlayback ends a playback. It fails with ErrNotFound when it has ended.
func (c *Client) StopPlayback(ctx context.Context, id string) error {
	return c.done(ctx, http.MethodDelete, nil, "playbacks", id)
}

// A Tape is a recording to be made.
type Tape struct {
	Name       string        // of the file, without its ending; required
	Format     string        // and ending, such as wav; required
	MaxLength  time.Duration // rounded up to seconds; 0 is no end
	MaxSilence time.Duration // ends it; rounded up to seconds, 0 is never
	IfExists   string        // fail (also ""), overwrite or append
	Beep       bool          // at the beginning
	EndDigits  string        // none (also ""), any, * or #
}

// Record records what comes from a channel in Stasis. RecordingFinished or RecordingFailed tells the end.
func (c *Client) Record(ctx context.Context, channel string, t Tape) (Recording, error) {
	return c.record(ctx, "channels", channel, t)
}

func (c *Client) record(ctx context.Context, kind, id string, t Tape) (Recording, error) {
	op := "POST /" + kind + "/.../record"
	if unfitSegment(t.Name) != "" {
		return Recording{}, &ArgumentError{Op: op, Name: "name", Reason: "is no name of a file"}
	}
	return one(ctx, c, http.MethodPost, newRecording, form{
		"name": t.Name, "format": t.Format, "maxDurationSeconds": seconds(t.MaxLength),
		"maxSilenceSeconds": seconds(t.MaxSilence), "ifExists": t.IfExists, "beep": t.Beep, "terminateOn": t.EndDigits,
	}, kind, id, "record")
}

// StopRecording ends a live recording and keeps its file.
func (c *Client) StopRecording(ctx context.Context, name string) error {
	return c.done(ctx, http.MethodPost, nil, "recordings", "live", name, "stop")
}

// StoredRecordings lists the recordings that were made over ARI; only Name and Format are set.
func (c *Client) StoredRecordings(ctx context.Context) ([]Recording, error) {
	return many(ctx, c, newRecording, "recordings", "stored")
}

// StoredRecording returns one of StoredRecordings. It fails with ErrNotFound when there is none of this name.
func (c *Client) StoredRecording(ctx context.Context, name string) (Recording, error) {
	return one(ctx, c, http.MethodGet, newRecording, nil, "recordings", "stored", name)
}

// DeleteRecording removes the file of a stored recording.
func (c *Client) DeleteRecording(ctx context.Context, name string) error {
	return c.done(ctx, http.MethodDelete, nil, "recordings", "stored", name)
}
