#!/usr/bin/env python3
"""A receiver of dialbridge's events: WEBHOOK_SECRET=... receiver.py PORT INBOX.db

An event is verified, put into an inbox on disk under its webhook-id, and answered with 204; work is done behind the answer, one event
after the other, in the order in which they came. Python 3.8 or newer, nothing else.
"""
import base64
import hashlib
import hmac
import json
import os
import sqlite3
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE = 300  # seconds between the clocks of the two machines
LARGEST = 1 << 20


def key_of(secret):
    """A secret that begins with whsec_ is base64 behind it, any other is taken as it is."""
    key = base64.b64decode(secret[len("whsec_"):]) if secret.startswith("whsec_") else os.fsencode(secret)
    if not key:
        raise SystemExit("WEBHOOK_SECRET is empty: everybody could sign")
    return key


def genuine(headers, body, key):
    """Standard Webhooks: one of the signatures fits id, time and body, and the time is now."""
    ident, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not ident or not stamp.isdecimal() or len(stamp) > 12 or abs(time.time() - int(stamp)) > TOLERANCE:
        return False
    signed = f"{ident}.{stamp}.".encode() + body
    want = b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    given = headers.get("webhook-signature", "").encode()
    return any([hmac.compare_digest(want, one) for one in given.split(b" ")])


def is_event(body):
    """An event is a JSON object. Only somebody with the secret can send anything else, and the work must not stop over it."""
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


class Inbox:
    def __init__(self, path):
        self.db = sqlite3.connect(path, check_same_thread=False)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.execute("CREATE TABLE IF NOT EXISTS inbox (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, body BLOB, done INTEGER DEFAULT 0)")
        self.db.commit()
        self.changed = threading.Condition()

    def put(self, ident, body):
        """Keeps an event. One that is known already changes nothing: it came twice."""
        with self.changed:
            with self.db:
                self.db.execute("INSERT OR IGNORE INTO inbox (id, body) VALUES (?, ?)", (ident, body))
            self.changed.notify()

    def work(self, do):
        """Does what waits, in its order. An event whose work was cut short by a crash is done again."""
        while True:
            with self.changed:
                row = self.db.execute("SELECT seq, id, body FROM inbox WHERE NOT done ORDER BY seq LIMIT 1").fetchone()
                if row is None:
                    self.changed.wait()
                    continue
            do(row[1], json.loads(row[2]))
            with self.changed, self.db:
                self.db.execute("UPDATE inbox SET done = 1 WHERE seq = ?", (row[0],))


def do(ident, event):
    """What the CRM does with an event: here it is printed."""
    print(event.get("event"), ident, event.get("uniqueid") or event.get("uuid", ""), flush=True)


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or len(length) > 12:
            return self.answer(411)
        size = int(length)
        if size > LARGEST:
            while size > 0 and (part := self.rfile.read(min(size, LARGEST))):  # the sender reads the answer when all of it is sent
                size -= len(part)
            return self.answer(413)
        body = self.rfile.read(size)
        if not genuine(self.headers, body, self.server.key):
            return self.answer(401)
        if not is_event(body):
            return self.answer(400)
        self.server.inbox.put(self.headers["webhook-id"], body)
        self.answer(204)

    def do_GET(self):
        self.answer(405)

    def answer(self, status):
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", "0")
        if status in (411, 413):
            self.close_connection = True
        self.end_headers()

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)  # TLS is the proxy's before it
    server.daemon_threads = True
    server.key, server.inbox = key_of(os.environ.get("WEBHOOK_SECRET", "")), Inbox(sys.argv[2])
    threading.Thread(target=server.inbox.work, args=(do,), daemon=True).start()
    server.serve_forever()
