package webhook

// receiversSchema gives every row a receiver. What is there is the first one's. The rows move to a new table, because SQLite cannot take
// UNIQUE from a column; they move a few at a time, and each piece leaves the old table at once, so that a file near its bound
// does not need room for both. lead is 1 for the first row of an event that was stored: whoever reads events sees each once.
//
// Indexes begin with the receiver where a sender walks along them: what waits for one that is down is not walked over for another.
const receiversSchema = `
CREATE TABLE webhook_receivers (
	id     INTEGER PRIMARY KEY AUTOINCREMENT,
	name   TEXT    NOT NULL UNIQUE,
	up     INTEGER NOT NULL DEFAULT 1,
	since  INTEGER NOT NULL DEFAULT 0,
	status INTEGER NOT NULL DEFAULT 0,
	error  TEXT    NOT NULL DEFAULT ''
);
INSERT INTO webhook_receivers (id, name) VALUES (1, 'default');
UPDATE webhook_receivers SET (up, since, status, error) = (SELECT up, since, status, error FROM webhook_receiver)
	WHERE EXISTS (SELECT 1 FROM webhook_receiver);
DROP TABLE webhook_receiver;

ALTER TABLE webhook_counts RENAME TO webhook_old_counts;
CREATE TABLE webhook_counts (
	receiver   INTEGER NOT NULL,
	kind       TEXT    NOT NULL,
	weight     INTEGER NOT NULL DEFAULT 0,
	pending    INTEGER NOT NULL DEFAULT 0,
	delivered  INTEGER NOT NULL DEFAULT 0,
	dead       INTEGER NOT NULL DEFAULT 0,
	expired    INTEGER NOT NULL DEFAULT 0,
	dropped    INTEGER NOT NULL DEFAULT 0,
	superseded INTEGER NOT NULL DEFAULT 0,
	duplicates INTEGER NOT NULL DEFAULT 0,
	lost       INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (receiver, kind)
) WITHOUT ROWID;
INSERT INTO webhook_counts SELECT 1, kind, weight, pending, delivered, dead, expired, dropped, superseded, duplicates, lost FROM webhook_old_counts;
DROP TABLE webhook_old_counts;

DROP INDEX webhook_pending;
DROP INDEX webhook_lines;
DROP INDEX webhook_newest;
DROP INDEX webhook_dead;
DROP INDEX webhook_history;
DROP INDEX webhook_kinds;
DROP INDEX webhook_keys;
ALTER TABLE webhook_outbox RENAME TO webhook_old_outbox;
ALTER TABLE webhook_attempts RENAME TO webhook_old_attempts;
CREATE TABLE webhook_outbox (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	receiver    INTEGER NOT NULL,
	event_id    TEXT    NOT NULL,
	lead        INTEGER NOT NULL,
	kind        TEXT    NOT NULL,
	key         TEXT    NOT NULL,
	body        BLOB    NOT NULL,
	at          INTEGER NOT NULL,
	newest      INTEGER NOT NULL,
	weight      INTEGER NOT NULL,
	ttl         INTEGER NOT NULL,
	state       INTEGER NOT NULL DEFAULT 0,
	attempts    INTEGER NOT NULL DEFAULT 0,
	refused     INTEGER NOT NULL DEFAULT 0,
	refused_at  INTEGER NOT NULL DEFAULT 0,
	last_at     INTEGER,
	last_status INTEGER,
	last_error  TEXT,
	answer      BLOB,
	done_at     INTEGER,
	UNIQUE (event_id, receiver)
);
CREATE TABLE webhook_attempts (
	outbox   INTEGER NOT NULL REFERENCES webhook_outbox (id) ON DELETE CASCADE,
	n        INTEGER NOT NULL,
	at       INTEGER NOT NULL,
	took     INTEGER NOT NULL,
	status   INTEGER NOT NULL,
	error    TEXT    NOT NULL,
	PRIMARY KEY (outbox, n)
) WITHOUT ROWID;
CREATE TABLE webhook_pieces (n INTEGER PRIMARY KEY);
CREATE TRIGGER webhook_move AFTER INSERT ON webhook_pieces BEGIN
	INSERT INTO webhook_outbox (id, receiver, event_id, lead, kind, key, body, at, newest, weight, ttl, state, attempts, refused, refused_at,
			last_at, last_status, last_error, answer, done_at)
		SELECT id, 1, event_id, 1, kind, key, body, at, newest, weight, ttl, state, attempts, refused, refused_at,
			last_at, last_status, last_error, answer, done_at
		FROM webhook_old_outbox WHERE id BETWEEN new.n * 256 AND new.n * 256 + 255 ORDER BY id;
	INSERT INTO webhook_attempts SELECT outbox, n, at, took, status, error
		FROM webhook_old_attempts WHERE outbox BETWEEN new.n * 256 AND new.n * 256 + 255;
	DELETE FROM webhook_old_outbox WHERE id BETWEEN new.n * 256 AND new.n * 256 + 255;
END;
INSERT INTO webhook_pieces
	WITH RECURSIVE pieces (n, last) AS (
		SELECT min(id) / 256, max(id) / 256 FROM webhook_old_outbox HAVING count(*) > 0
		UNION ALL SELECT n + 1, last FROM pieces WHERE n < last)
	SELECT n FROM pieces;
DROP TABLE webhook_pieces;
INSERT INTO sqlite_sequence (name, seq) SELECT 'webhook_outbox', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'webhook_outbox');
UPDATE sqlite_sequence SET seq = max(seq, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'webhook_old_outbox'), 0)) WHERE name = 'webhook_outbox';
DROP TABLE webhook_old_attempts;
DROP TABLE webhook_old_outbox;
CREATE INDEX webhook_pending ON webhook_outbox (receiver, id, weight) WHERE state = 0;
CREATE INDEX webhook_lines   ON webhook_outbox (receiver, key, id) WHERE state = 0;
CREATE INDEX webhook_newest  ON webhook_outbox (receiver, key, id) WHERE state = 0 AND newest = 1;
CREATE INDEX webhook_dead    ON webhook_outbox (id) WHERE state = 2;
CREATE INDEX webhook_history ON webhook_outbox (done_at) WHERE done_at IS NOT NULL;
CREATE INDEX webhook_kinds   ON webhook_outbox (kind);
CREATE INDEX webhook_keys    ON webhook_outbox (key);
`
