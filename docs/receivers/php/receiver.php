<?php
// A receiver of dialbridge's events, for any web server with PHP 7.4 or newer and PDO's SQLite:
//
//   WEBHOOK_SECRET=... INBOX=/var/lib/crm/inbox.db php -S 127.0.0.1:8090 receiver.php     (or PHP-FPM behind nginx or Apache)
//   WEBHOOK_SECRET=... INBOX=/var/lib/crm/inbox.db php receiver.php                       (the work, as a service of its own)
//
// The page verifies an event, puts it into an inbox on disk under its webhook-id, and answers with 204. The work is done by the second
// program, one event after the other, in the order in which they came.

declare(strict_types=1);

const TOLERANCE = 300; // seconds between the clocks of the two machines
const LARGEST = 1 << 20;

// A secret that begins with whsec_ is base64 behind it, any other is taken as it is.
function keyOf(string $secret): string
{
    return strncmp($secret, 'whsec_', 6) === 0 ? (string) base64_decode(substr($secret, 6), true) : $secret;
}

// Standard Webhooks: one of the signatures fits id, time and body, and the time is now.
function genuine(string $id, string $stamp, string $given, string $body, string $key): bool
{
    if ($key === '' || $id === '' || !ctype_digit($stamp) || abs(time() - (int) $stamp) > TOLERANCE) {
        return false;
    }
    $want = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$stamp.$body", $key, true));
    foreach (explode(' ', $given) as $one) {
        if (hash_equals($want, $one)) {
            return true;
        }
    }
    return false;
}

function inbox(): PDO
{
    $db = new PDO('sqlite:' . getenv('INBOX'), null, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_TIMEOUT => 10]);
    $db->exec('PRAGMA journal_mode = WAL');
    $db->exec('PRAGMA synchronous = FULL');
    $db->exec('CREATE TABLE IF NOT EXISTS inbox (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, body TEXT, done INTEGER DEFAULT 0)');
    return $db;
}

// What the CRM does with an event: here it is printed.
function work(string $id, array $event): void
{
    echo $event['event'] ?? '', ' ', $id, ' ', $event['uniqueid'] ?? $event['uuid'] ?? '', "\n";
}

if (PHP_SAPI === 'cli') {
    $db = inbox();
    $done = $db->prepare('UPDATE inbox SET done = 1 WHERE seq = ?');
    while (true) {
        foreach ($db->query('SELECT seq, id, body FROM inbox WHERE NOT done ORDER BY seq LIMIT 100')->fetchAll() as $row) {
            work($row['id'], json_decode($row['body'], true));
            $done->execute([$row['seq']]); // an event whose work was cut short by a crash is done again
        }
        usleep(100000);
    }
}

if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
    http_response_code(405);
    exit;
}
if ((int) ($_SERVER['CONTENT_LENGTH'] ?? 0) > LARGEST) {
    http_response_code(413);
    exit;
}
$body = (string) file_get_contents('php://input', false, null, 0, LARGEST + 1); // one that is cut off fits no signature
$id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
if (!genuine($id, $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '', $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '', $body, keyOf((string) getenv('WEBHOOK_SECRET')))) {
    http_response_code(401);
    exit;
}
if (!json_decode($body) instanceof stdClass) { // only somebody with the secret can send that, and the work must not stop over it
    http_response_code(400);
    exit;
}
inbox()->prepare('INSERT OR IGNORE INTO inbox (id, body) VALUES (?, ?)')->execute([$id, $body]); // one that is known came twice
http_response_code(204);
