// A receiver of dialbridge's events: npm ci && WEBHOOK_SECRET=... node receiver.js PORT INBOX
//
// An event is verified by the library of Standard Webhooks, put into an inbox on disk (a file of lines) under its webhook-id, and answered
// with 204; work is done behind the answer, one event after the other, in the order in which they came.

import { createServer } from "node:http";
import { existsSync, fsyncSync, openSync, readFileSync, renameSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const [port, path] = process.argv.slice(2);
const secret = process.env.WEBHOOK_SECRET ?? "";
// A secret that begins with whsec_ is base64 behind it, any other is taken as it is.
const webhook = secret.startsWith("whsec_") ? new Webhook(secret) : new Webhook(Buffer.from(secret), { format: "raw" });
const LARGEST = 1 << 20;

// The inbox: a line an event, and beside it how many of them are done.
const seen = new Set();
const waiting = [];
let done = existsSync(path + ".done") ? Number(readFileSync(path + ".done", "utf8")) : 0;
if (existsSync(path)) {
  const text = readFileSync(path, "utf8");
  const whole = text.slice(0, text.lastIndexOf("\n") + 1); // what is behind it was cut short by a crash, and never answered
  truncateSync(path, Buffer.byteLength(whole));
  for (const line of whole.split("\n").slice(0, -1)) {
    const entry = JSON.parse(line);
    seen.add(entry.id);
    waiting.push(entry);
  }
  waiting.splice(0, done);
}
const file = openSync(path, "a");

function put(id, event) {
  if (seen.has(id)) return; // it came twice
  const entry = { id, event };
  writeSync(file, JSON.stringify(entry) + "\n");
  fsyncSync(file);
  seen.add(id);
  waiting.push(entry);
  setImmediate(work);
}

let working = false;
async function work() {
  if (working) return;
  working = true;
  while (waiting.length > 0) {
    const entry = waiting[0];
    await handle(entry.id, entry.event); // one whose work was cut short by a crash is done again
    waiting.shift();
    writeFileSync(path + ".done.new", String(++done));
    renameSync(path + ".done.new", path + ".done"); // in one piece: one that is cut short would have everything done again
  }
  working = false;
}

// What the CRM does with an event: here it is printed.
async function handle(id, event) {
  console.log(event.event, id, event.uniqueid ?? event.uuid ?? "");
}

createServer((request, response) => {
  const answer = (status) => response.writeHead(status).end();
  if (request.method !== "POST") return answer(405);
  const parts = [];
  let size = 0;
  request.on("data", (part) => {
    size += part.length;
    if (size <= LARGEST) parts.push(part);
  });
  request.on("end", () => {
    if (size > LARGEST) return answer(413);
    const body = Buffer.concat(parts);
    let event;
    try {
      event = webhook.verify(body, request.headers); // throws for what is forged, changed or old
    } catch (error) {
      return answer(error instanceof SyntaxError ? 400 : 401); // the library reads JSON when the signature fits
    }
    if (event === null || typeof event !== "object" || Array.isArray(event)) return answer(400); // the work must not stop over it
    put(request.headers["webhook-id"], event);
    answer(204);
  });
}).listen(Number(port), "127.0.0.1"); // TLS is the proxy's before it

work();
