import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Base64;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * A receiver of dialbridge's events: WEBHOOK_SECRET=... java Receiver.java PORT INBOX
 *
 * <p>An event is verified, put into an inbox on disk (a file of lines: the webhook-id, a tab, the body) and answered with 204; work is done
 * behind the answer, one event after the other, in the order in which they came. Java 17, nothing else.
 */
public final class Receiver {
  static final long TOLERANCE = 300; // seconds between the clocks of the two machines
  static final int LARGEST = 1 << 20;

  final byte[] key;
  final Path path;
  final FileChannel file;
  final Set<String> seen = new HashSet<>();
  final LinkedBlockingQueue<String> waiting = new LinkedBlockingQueue<>();
  long done;

  Receiver(String secret, Path path) throws IOException {
    // A secret that begins with whsec_ is base64 behind it, any other is taken as it is.
    key = secret.startsWith("whsec_") ? Base64.getDecoder().decode(secret.substring(6)) : secret.getBytes(StandardCharsets.UTF_8);
    if (key.length == 0) {
      throw new IllegalArgumentException("WEBHOOK_SECRET is empty: everybody could sign");
    }
    this.path = path;
    Path count = Path.of(path + ".done");
    done = Files.exists(count) ? Long.parseLong(Files.readString(count)) : 0;
    byte[] text = Files.exists(path) ? Files.readAllBytes(path) : new byte[0];
    int whole = text.length; // what is behind the last line end was cut short by a crash, and never answered
    while (whole > 0 && text[whole - 1] != '\n') {
      whole--;
    }
    file = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    file.truncate(whole).position(whole);
    long n = 0;
    for (String line : (Iterable<String>) new String(text, 0, whole, StandardCharsets.UTF_8).lines()::iterator) {
      seen.add(line.substring(0, line.indexOf('\t')));
      if (++n > done) {
        waiting.add(line);
      }
    }
  }

  /** Standard Webhooks: one of the signatures fits id, time and body, and the time is now. */
  boolean genuine(String id, String stamp, String given, byte[] body) throws GeneralSecurityException {
    if (id == null || id.isEmpty() || stamp == null || given == null || !stamp.matches("[0-9]{1,12}")
        || Math.abs(Instant.now().getEpochSecond() - Long.parseLong(stamp)) > TOLERANCE) {
      return false;
    }
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    mac.update((id + "." + stamp + ".").getBytes(StandardCharsets.UTF_8));
    byte[] want = ("v1," + Base64.getEncoder().encodeToString(mac.doFinal(body))).getBytes(StandardCharsets.UTF_8);
    for (String one : given.split(" ")) {
      if (MessageDigest.isEqual(want, one.getBytes(StandardCharsets.UTF_8))) {
        return true;
      }
    }
    return false;
  }

  /** Keeps an event before it is answered. One that is known came twice. A line end in JSON is as good as a blank. */
  synchronized void put(String id, byte[] body) throws IOException {
    if (seen.contains(id)) {
      return;
    }
    String line = id + "\t" + new String(body, StandardCharsets.UTF_8).replaceAll("[\\r\\n]", " ");
    file.write(ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8)));
    file.force(false);
    seen.add(id);
    waiting.add(line);
  }

  /** Does what waits. An event whose work was cut short by a crash is done again. */
  void work() throws InterruptedException, IOException {
    while (true) {
      String line = waiting.take();
      int tab = line.indexOf('\t');
      handle(line.substring(0, tab), line.substring(tab + 1));
      Path fresh = Path.of(path + ".done.new"); // in one piece: one that is cut short would have everything done again
      Files.writeString(fresh, Long.toString(++done));
      Files.move(fresh, Path.of(path + ".done"), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }
  }

  /** What the CRM does with an event: here it is printed. With a JSON library at hand, use it. */
  static void handle(String id, String event) {
    String call = value(event, "uniqueid");
    System.out.println(value(event, "event") + " " + id + " " + (call.isEmpty() ? value(event, "uuid") : call));
  }

  static String value(String json, String name) {
    Matcher m = Pattern.compile('"' + name + "\":\"([^\"\\\\]*)\"").matcher(json);
    return m.find() ? m.group(1) : "";
  }

  void take(HttpExchange x) throws IOException {
    try (x) {
      int status = 401;
      byte[] body = x.getRequestBody().readNBytes(LARGEST + 1);
      if (body.length > LARGEST) {
        x.getRequestBody().transferTo(OutputStream.nullOutputStream()); // the sender reads the answer when all of it is sent
        status = 413;
      } else if (!x.getRequestMethod().equals("POST")) {
        status = 405;
      } else {
        String id = x.getRequestHeaders().getFirst("webhook-id");
        try {
          if (genuine(id, x.getRequestHeaders().getFirst("webhook-timestamp"), x.getRequestHeaders().getFirst("webhook-signature"), body)) {
            put(id, body);
            status = 204;
          }
        } catch (GeneralSecurityException | IOException e) {
          System.err.println(e);
          status = 503; // it comes again
        }
      }
      x.sendResponseHeaders(status, -1);
    }
  }

  public static void main(String[] args) throws Exception {
    Receiver r = new Receiver(System.getenv().getOrDefault("WEBHOOK_SECRET", ""), Path.of(args[1]));
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), 0); // TLS is the proxy's before it
    server.createContext("/", r::take);
    server.setExecutor(Executors.newFixedThreadPool(8));
    server.start();
    r.work();
  }
}
