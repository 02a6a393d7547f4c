// A receiver of Hartline's notices: verify, open, store, and only then answer 200.
//
//     java Receiver.java receiver.json          receive
//     java Receiver.java check FILE.json ...    try this program against the published vectors
//     java Receiver.java new-key                make a key pair: keep the first, send us the second
//
// Java 17 or newer, nothing else. What the parts of it are for: README.md, and docs/partners.

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigInteger;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.*;
import java.security.interfaces.ECPrivateKey;
import java.security.interfaces.ECPublicKey;
import java.security.spec.*;
import java.time.Instant;
import java.util.*;
import java.util.concurrent.Executors;
import java.util.regex.Pattern;
import javax.crypto.Cipher;
import javax.crypto.KeyAgreement;
import javax.crypto.Mac;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

public class Receiver {
    static final int TOLERANCE = 300; // seconds
    static final int LARGEST = 4 * 1024 * 1024;
    static final Pattern ID = Pattern.compile("[A-Za-z0-9_-]{1,100}"); // becomes a file's name
    static final Map<String, Integer> STATUS = Map.of(
        "content_type", 415, "id", 400, "timestamp", 401, "signature", 401, "jwe", 400,
        "audience", 403, "issued_at", 400, "ids_differ", 400, "form", 400,
        "recall_names_no_notice", 400);

    public static void main(String[] arguments) throws Exception {
        // So that a caller who says nothing is not waited for.
        System.setProperty("sun.net.httpserver.maxReqTime", "20");
        List<String> words = List.of(arguments);
        if (words.size() > 1 && words.get(0).equals("check")) {
            System.exit(check(words.subList(1, words.size())));
        } else if (words.equals(List.of("new-key"))) {
            newKey();
        } else if (words.size() == 1) {
            serve(Path.of(words.get(0)).toAbsolutePath());
        } else {
            say("java Receiver.java receiver.json | check FILE.json ... | new-key");
            System.exit(2);
        }
    }

    /** Not to be trusted; the message is a word of STATUS. */
    @SuppressWarnings("serial")
    static class Refused extends Exception {
        Refused(String reason) {
            super(reason, null, false, false);
        }
    }

    record Notice(String id, byte[] plaintext, Map<String, Object> form) {}

    // Verify and open

    /** Old and new of each while one is changed: ours to open with, Hartline's to verify with. */
    record Keys(String agencyId, List<PrivateKey> mine, List<PublicKey> senders, List<byte[]> secrets) {

        static Keys of(Map<String, Object> config) throws GeneralSecurityException {
            Keys keys = new Keys(
                text(config, "agency_id"), new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
            for (Object jwk : list(config, "private_keys")) {
                BigInteger d = new BigInteger(1, base64url(text(object(jwk), "d")));
                keys.mine.add(KeyFactory.getInstance("EC").generatePrivate(new ECPrivateKeySpec(d, p256())));
            }
            // What stands before the 32 bytes of an Ed25519 key in its usual wrapping (RFC 8410).
            byte[] wrapping = HexFormat.of().parseHex("302a300506032b6570032100");
            for (Object key : list(config, "sender_keys")) {
                byte[] raw = base64(key.toString().replaceFirst("^whpk_", ""));
                keys.senders.add(KeyFactory.getInstance("Ed25519")
                    .generatePublic(new X509EncodedKeySpec(join(wrapping, raw))));
            }
            for (Object secret : list(config, "shared_secrets")) {
                keys.secrets.add(base64(secret.toString().replaceFirst("^whsec_", "")));
            }
            return keys;
        }

        /** An authentic, fresh notice for us. Nothing is parsed before its signature. */
        Notice open(Map<String, String> headers, byte[] body, long now) throws Refused {
            if (!"application/jose".equals(headers.get("content-type"))) throw new Refused("content_type");
            String id = headers.getOrDefault("webhook-id", "");
            if (!ID.matcher(id).matches()) throw new Refused("id");
            String timestamp = headers.getOrDefault("webhook-timestamp", "");
            if (!timestamp.matches("[0-9]{1,12}") || !near(Long.parseLong(timestamp), now)) {
                throw new Refused("timestamp");
            }
            byte[] content = join(bytes(id + "." + timestamp + "."), body);
            boolean signed = false;
            for (String each : headers.getOrDefault("webhook-signature", "").split(" ")) {
                signed |= isSigned(each, content);
            }
            if (!signed) throw new Refused("signature");
            return read(id, body, now);
        }

        private Notice read(String id, byte[] body, long now) throws Refused {
            String[] parts = new String(body, StandardCharsets.ISO_8859_1).split("\\.", -1);
            Map<String, Object> header = header(parts);
            byte[] plaintext = decrypt(header, parts);
            if (!agencyId.equals(header.get("aud"))) throw new Refused("audience");
            if (!(header.get("iat") instanceof Long at) || !near(at, now)) throw new Refused("issued_at");
            Map<String, Object> form = readForm(plaintext);
            if (kind(form).equals("challenge")) {
                form.putAll(Map.of("notice_id", id, "recipient", Map.of("agency_id", agencyId)));
            }
            if (!agencyId.equals(object(form.get("recipient")).get("agency_id"))) throw new Refused("audience");
            if (!id.equals(header.get("jti")) || !id.equals(form.get("notice_id"))) {
                throw new Refused("ids_differ");
            }
            return new Notice(id, plaintext, form);
        }

        /** Standard Webhooks 1.0: `v1a` is Ed25519, `v1` is HMAC-SHA256. One is enough. */
        private boolean isSigned(String signature, byte[] content) {
            try {
                int comma = signature.indexOf(',');
                String version = signature.substring(0, Math.max(comma, 0));
                byte[] raw = base64(signature.substring(comma + 1));
                for (PublicKey sender : version.equals("v1a") ? senders : List.<PublicKey>of()) {
                    if (verifies(sender, raw, content)) return true;
                }
                for (byte[] secret : version.equals("v1") ? secrets : List.<byte[]>of()) {
                    Mac mac = Mac.getInstance("HmacSHA256");
                    mac.init(new SecretKeySpec(secret, "HmacSHA256"));
                    if (MessageDigest.isEqual(mac.doFinal(content), raw)) return true;
                }
            } catch (GeneralSecurityException | IllegalArgumentException malformed) {
                return false;
            }
            return false;
        }

        private static boolean verifies(PublicKey sender, byte[] raw, byte[] content)
            throws GeneralSecurityException {
            Signature verifier = Signature.getInstance("Ed25519");
            verifier.initVerify(sender);
            verifier.update(content);
            try {
                return verifier.verify(raw);
            } catch (SignatureException malformed) {
                return false;
            }
        }

        /** The protected header of a compact JWE: ECDH-ES on P-256 and A256GCM, nothing else. */
        private static Map<String, Object> header(String[] parts) throws Refused {
            try {
                Map<String, Object> header = object(Json.read(base64url(parts[0])));
                boolean known = "ECDH-ES".equals(header.get("alg")) && "A256GCM".equals(header.get("enc"))
                    && !header.containsKey("crit") && !header.containsKey("zip");
                if (known && parts.length == 5 && parts[1].isEmpty()) return header;
            } catch (RuntimeException malformed) {
                // As below.
            }
            throw new Refused("jwe");
        }

        private byte[] decrypt(Map<String, Object> header, String[] parts) throws Refused {
            try {
                byte[] iv = base64url(parts[2]), ciphertext = base64url(parts[3]), tag = base64url(parts[4]);
                if (iv.length != 12 || tag.length != 16) throw new Refused("jwe");
                PublicKey epk = publicKey(object(header.get("epk")));
                for (PrivateKey key : mine) {
                    KeyAgreement agreement = KeyAgreement.getInstance("ECDH");
                    agreement.init(key);
                    agreement.doPhase(epk, true);
                    Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
                    byte[] content = concatKdf(agreement.generateSecret(), header);
                    cipher.init(Cipher.DECRYPT_MODE, new SecretKeySpec(content, "AES"),
                        new GCMParameterSpec(128, iv));
                    cipher.updateAAD(bytes(parts[0]));
                    try {
                        return cipher.doFinal(join(ciphertext, tag));
                    } catch (GeneralSecurityException notWithThisKey) {
                        continue;
                    }
                }
            } catch (GeneralSecurityException | RuntimeException malformed) {
                // As below.
            }
            throw new Refused("jwe");
        }
    }

    static boolean near(long at, long now) {
        return Math.abs(now - at) <= TOLERANCE;
    }

    /** The content key of ECDH-ES (RFC 7518, 4.6.2), for A256GCM. */
    static byte[] concatKdf(byte[] shared, Map<String, Object> header) throws GeneralSecurityException {
        byte[] all = join(uint32(1), shared);
        byte[] apu = base64url((String) header.getOrDefault("apu", ""));
        byte[] apv = base64url((String) header.getOrDefault("apv", ""));
        for (byte[] part : List.of(bytes("A256GCM"), apu, apv)) {
            all = join(all, join(uint32(part.length), part));
        }
        return sha256(join(all, uint32(256)));
    }

    /**
     * The form, or a challenge, which asks whether we hold our key and is none.
     * Members that are not known here are no mistake, and `padding` says nothing.
     */
    static Map<String, Object> readForm(byte[] plaintext) throws Refused {
        try {
            Map<String, Object> form = object(Json.read(plaintext));
            if (kind(form).equals("challenge") && ID.matcher(text(form, "challenge")).matches()) return form;
            for (String name : List.of("kind", "referral_number", "notice_id", "form")) text(form, name);
            text(object(form.get("recipient")), "agency_id");
            if (form.get("version") instanceof Long) return knownRecall(form);
        } catch (RuntimeException malformed) {
            // As below.
        }
        throw new Refused("form");
    }

    /** Kept without the id that it asks back, a recall would be in the way of every later notice. */
    static Map<String, Object> knownRecall(Map<String, Object> form) throws Refused {
        boolean names = !kind(form).equals("recall")
            || form.get("recall") instanceof Map<?, ?> recall && recall.get("notice_id") instanceof String id
                && ID.matcher(id).matches();
        if (!names) throw new Refused("recall_names_no_notice");
        return form;
    }

    // Keep the highest

    /**
     * What each notice is now, by its id, in whatever order they came.
     *
     * recalled    it was not meant for you: set it apart, call DCF
     * replaced    a higher version of the same thing, or a higher revision of that version, is here
     * withdrawn   the referral was, whatever else comes: do not act on it
     * outdated    you are no longer a recipient, and what you hold is not the latest
     * current     act on this
     * message     says something about other notices, or is of a kind that is new here: read it
     */
    static Map<String, Object> standings(List<Map<String, Object>> forms) {
        Set<String> recalled = new HashSet<>();
        for (var form : forms) {
            if (kind(form).equals("recall")) recalled.add(text(object(form.get("recall")), "notice_id"));
        }
        Map<List<String>, Long> highest = new HashMap<>();
        Set<List<String>> withdrawn = new HashSet<>();
        Map<String, Long> outdated = new HashMap<>();
        for (var form : forms) {
            String referral = text(form, "referral_number");
            switch (kind(form)) {
                case "withdrawal" -> withdrawn.add(List.of(referral, child(form)));
                case "supersession" -> outdated.merge(referral,
                    form.get("supersedes") instanceof Long until ? until : version(form), Math::max);
                default -> {
                    if (series(form) != null && !recalled.contains(text(form, "notice_id"))) {
                        highest.merge(series(form), rank(form), Math::max);
                    }
                }
            }
        }
        Map<String, Object> found = new TreeMap<>();
        for (var form : forms) {
            String id = text(form, "notice_id"), referral = text(form, "referral_number");
            boolean off = withdrawn.contains(List.of(referral, child(form)))
                || withdrawn.contains(List.of(referral, ""));
            found.put(id, recalled.contains(id) ? "recalled"
                : series(form) == null ? "message"
                : rank(form) < highest.get(series(form)) ? "replaced"
                : off ? "withdrawn"
                : version(form) <= outdated.getOrDefault(referral, 0L) ? "outdated" : "current");
        }
        return found;
    }

    /** What its versions are versions of; null of a kind without content. */
    static List<String> series(Map<String, Object> form) {
        String kind = Map.of("original", "notice", "correction", "notice", "consult_outcome", "consult")
            .get(kind(form));
        Object consult = form.get("consult") == null ? null : object(form.get("consult")).get("consult_id");
        return kind == null ? null
            : List.of(text(form, "form"), kind, String.valueOf(consult), text(form, "referral_number"), child(form));
    }

    static long rank(Map<String, Object> form) {
        return version(form) * 1_000_000 + (form.get("revision") instanceof Long revision ? revision : 0);
    }

    static String kind(Map<String, Object> form) {
        return text(form, "kind");
    }

    static long version(Map<String, Object> form) {
        return (Long) form.get("version");
    }

    static String child(Map<String, Object> form) {
        return form.get("child") == null ? "" : text(object(form.get("child")), "child_id");
    }

    // Store

    /** FOLDER/notices/ID.json, as it was decrypted, and FOLDER/standing.tsv, made of those. */
    static class Store {
        private final Path folder, notices;
        private final List<Map<String, Object>> forms = new ArrayList<>();

        Store(Path folder) throws IOException {
            this.folder = folder;
            this.notices = Files.createDirectories(folder.resolve("notices"));
            try (var files = Files.newDirectoryStream(notices, "*.json")) {
                for (Path file : files) forms.add(object(Json.read(Files.readAllBytes(file))));
            }
            writeStanding();
        }

        /** Returns once it is on the disk. False: it was there before; one id is kept once. */
        synchronized boolean keep(Notice notice) throws IOException {
            Path file = notices.resolve(notice.id + ".json");
            boolean isNew = !Files.exists(file);
            if (isNew) {
                Path half = notices.resolve(notice.id + ".half");
                try (var channel = FileChannel.open(half, StandardOpenOption.CREATE,
                    StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
                    var buffer = ByteBuffer.wrap(notice.plaintext);
                    while (buffer.hasRemaining()) channel.write(buffer);
                    channel.force(true);
                }
                Files.move(half, file, StandardCopyOption.ATOMIC_MOVE);
                forms.add(notice.form);
            }
            syncFolder(); // of a copy that an earlier life left, too
            writeStanding();
            return isNew;
        }

        private void syncFolder() throws IOException {
            if (System.getProperty("os.name").startsWith("Windows")) return; // has no such thing
            try (var channel = FileChannel.open(notices, StandardOpenOption.READ)) {
                channel.force(true);
            }
        }

        private void writeStanding() throws IOException {
            Map<String, Object> now = standings(forms);
            List<List<String>> rows = new ArrayList<>();
            for (var form : forms) {
                String id = text(form, "notice_id");
                rows.add(List.of(now.get(id).toString(), kind(form), Long.toString(version(form)),
                    text(form, "referral_number"), child(form), id));
            }
            rows.sort(Comparator.comparing(row -> String.join("\t", row.subList(3, 6))));
            rows.add(0, List.of("standing", "kind", "version", "referral", "child", "notice"));
            StringBuilder text = new StringBuilder();
            for (var row : rows) text.append(String.join("\t", row)).append('\n');
            Path half = folder.resolve("standing.half");
            Files.writeString(half, text);
            Files.move(half, folder.resolve("standing.tsv"), StandardCopyOption.ATOMIC_MOVE,
                StandardCopyOption.REPLACE_EXISTING);
        }
    }

    // Receive

    static void serve(Path configFile) throws Exception {
        Map<String, Object> config = object(Json.read(Files.readAllBytes(configFile)));
        Keys keys = Keys.of(config);
        Store store = new Store(configFile.resolveSibling(text(config, "folder")));
        String listen = text(config, "listen");
        int colon = listen.lastIndexOf(':');
        HttpServer server = HttpServer.create(new InetSocketAddress(
            listen.substring(0, colon), Integer.parseInt(listen.substring(colon + 1))), 0);
        server.createContext("/", exchange -> receive(exchange, keys, store));
        server.setExecutor(Executors.newFixedThreadPool(16));
        server.start();
        say("listening on " + listen);
    }

    static void receive(HttpExchange exchange, Keys keys, Store store) throws IOException {
        if (!exchange.getRequestMethod().equals("POST")) {
            answer(exchange, 405, "method");
            return;
        }
        byte[] body = exchange.getRequestBody().readNBytes(LARGEST + 1);
        if (body.length > LARGEST) {
            answer(exchange, 413, "too_large");
            return;
        }
        Map<String, String> headers = new HashMap<>();
        exchange.getRequestHeaders().forEach((name, values) ->
            headers.put(name.toLowerCase(Locale.ROOT), values.get(0)));
        try {
            Notice notice = keys.open(headers, body, Instant.now().getEpochSecond());
            if (kind(notice.form).equals("challenge")) {
                say("answered a challenge");
                answer(exchange, 200, "{\"challenge\":\"" + text(notice.form, "challenge") + "\"}");
                return;
            }
            boolean isNew = store.keep(notice);
            say((isNew ? "stored " : "had ") + notice.id + " " + kind(notice.form));
            answer(exchange, 200, "stored");
        } catch (Refused refused) {
            say("refused: " + refused.getMessage());
            answer(exchange, STATUS.get(refused.getMessage()), refused.getMessage());
        } catch (IOException | RuntimeException failed) {
            say("not stored: " + failed.getClass().getSimpleName());
            answer(exchange, 500, "cannot_store");
        }
    }

    static void answer(HttpExchange exchange, int status, String word) throws IOException {
        exchange.getResponseHeaders().set("Content-Type", "text/plain");
        exchange.sendResponseHeaders(status, word.length());
        exchange.getResponseBody().write(bytes(word));
        exchange.close();
    }

    // Keys and vectors

    static ECParameterSpec p256() throws GeneralSecurityException {
        AlgorithmParameters parameters = AlgorithmParameters.getInstance("EC");
        parameters.init(new ECGenParameterSpec("secp256r1"));
        return parameters.getParameterSpec(ECParameterSpec.class);
    }

    /** Throws unless it is a point on P-256. */
    static PublicKey publicKey(Map<String, Object> jwk) throws GeneralSecurityException {
        if (!"EC".equals(jwk.get("kty")) || !"P-256".equals(jwk.get("crv"))) {
            throw new InvalidKeyException("not a key on P-256");
        }
        BigInteger x = new BigInteger(1, base64url(text(jwk, "x")));
        BigInteger y = new BigInteger(1, base64url(text(jwk, "y")));
        EllipticCurve curve = p256().getCurve();
        BigInteger p = ((ECFieldFp) curve.getField()).getP();
        BigInteger right = x.pow(3).add(curve.getA().multiply(x)).add(curve.getB()).mod(p);
        if (x.compareTo(p) >= 0 || y.compareTo(p) >= 0 || !y.pow(2).mod(p).equals(right)) {
            throw new InvalidKeyException("not a point of P-256");
        }
        return KeyFactory.getInstance("EC").generatePublic(new ECPublicKeySpec(new ECPoint(x, y), p256()));
    }

    /** Prints a key pair as two JWKs; the key's id is its fingerprint (RFC 7638). */
    static void newKey() throws GeneralSecurityException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        KeyPair pair = generator.generateKeyPair();
        ECPoint point = ((ECPublicKey) pair.getPublic()).getW();
        String members = String.format("\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"",
            coordinate(point.getAffineX()), coordinate(point.getAffineY()));
        String kid = unpadded(sha256(bytes("{" + members + "}")));
        String d = coordinate(((ECPrivateKey) pair.getPrivate()).getS());
        System.out.printf("{%s,\"kid\":\"%s\",\"d\":\"%s\"}%n", members, kid, d);
        System.out.printf("{%s,\"kid\":\"%s\"}%n", members, kid);
    }

    static String coordinate(BigInteger number) {
        byte[] bytes = number.add(BigInteger.ONE.shiftLeft(256)).toByteArray();
        return unpadded(Arrays.copyOfRange(bytes, bytes.length - 32, bytes.length));
    }

    static String unpadded(byte[] raw) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(raw);
    }

    /** Prints a line per vector that this program judges otherwise, and how many it has tried. */
    static int check(List<String> files) throws Exception {
        int tried = 0, wrong = 0;
        for (String file : files) {
            Map<String, Object> all = object(Json.read(Files.readAllBytes(Path.of(file))));
            Map<String, Object> results = new LinkedHashMap<>();
            for (Object each : list(all, "requests")) {
                results.put(text(object(each), "name"), judge(Keys.of(object(all.get("receiver"))), object(each)));
            }
            for (Object each : list(all, "standings")) {
                List<Map<String, Object>> notices = new ArrayList<>();
                for (Object notice : list(object(each), "notices")) notices.add(object(notice));
                results.put(text(object(each), "name"), standings(notices));
            }
            for (String part : List.of("requests", "standings")) {
                for (Object each : list(all, part)) {
                    Object name = object(each).get("name"), right = object(each).get("expect");
                    tried++;
                    if (results.get(name).equals(right)) continue;
                    wrong++;
                    say(name + ": " + results.get(name) + ", where " + right + " is right");
                }
            }
        }
        System.out.printf("%d vectors, %d wrong%n", tried, wrong);
        return wrong > 0 || tried == 0 ? 1 : 0;
    }

    static String judge(Keys keys, Map<String, Object> vector) throws GeneralSecurityException {
        Map<String, String> headers = new HashMap<>();
        object(vector.get("headers")).forEach((name, value) -> headers.put(name, value.toString()));
        try {
            Notice notice = keys.open(headers, bytes(text(vector, "body")), (Long) vector.get("now"));
            return HexFormat.of().formatHex(sha256(notice.plaintext));
        } catch (Refused refused) {
            return refused.getMessage();
        }
    }

    // Bytes

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static byte[] join(byte[] one, byte[] two) {
        byte[] both = Arrays.copyOf(one, one.length + two.length);
        System.arraycopy(two, 0, both, one.length, two.length);
        return both;
    }

    static byte[] uint32(int number) {
        return ByteBuffer.allocate(4).putInt(number).array();
    }

    static byte[] sha256(byte[] content) throws GeneralSecurityException {
        return MessageDigest.getInstance("SHA-256").digest(content);
    }

    static byte[] base64(String text) {
        return Base64.getDecoder().decode(text);
    }

    static byte[] base64url(String text) {
        if (text.indexOf('=') >= 0) throw new IllegalArgumentException("padded");
        return Base64.getUrlDecoder().decode(text);
    }

    static void say(String line) {
        System.err.println(line);
    }

    // JSON, which Java's library lacks: objects as Map, arrays as List, whole numbers as Long

    @SuppressWarnings("unchecked")
    static Map<String, Object> object(Object value) {
        return (Map<String, Object>) Objects.requireNonNull(value);
    }

    @SuppressWarnings("unchecked")
    static List<Object> list(Map<String, Object> from, String name) {
        return (List<Object>) from.getOrDefault(name, List.of());
    }

    static String text(Map<String, Object> from, String name) {
        return (String) Objects.requireNonNull(from.get(name));
    }

    /** Reads one value. Throws a RuntimeException at anything that is not JSON. */
    static final class Json {
        private static final int DEEPEST = 100;
        private final String text;
        private int at;

        private Json(String text) {
            this.text = text;
        }

        static Object read(byte[] utf8) {
            Json json = new Json(new String(utf8, StandardCharsets.UTF_8));
            Object value = json.value(0);
            if (json.next() != 0) throw json.wrong();
            return value;
        }

        private Object value(int depth) {
            if (depth > DEEPEST) throw wrong();
            return switch (next()) {
                case '{' -> members(depth);
                case '[' -> elements(depth);
                case '"' -> string();
                default -> word();
            };
        }

        private Map<String, Object> members(int depth) {
            Map<String, Object> found = new LinkedHashMap<>();
            for (char end = open('}'); end != '}'; end = separator('}')) {
                if (next() != '"') throw wrong();
                String name = string();
                if (next() != ':') throw wrong();
                at++;
                found.put(name, value(depth + 1));
            }
            return found;
        }

        private List<Object> elements(int depth) {
            List<Object> found = new ArrayList<>();
            for (char end = open(']'); end != ']'; end = separator(']')) found.add(value(depth + 1));
            return found;
        }

        /** Past the opening bracket, and past the closing one if it follows at once. */
        private char open(char end) {
            at++;
            if (next() != end) return ',';
            at++;
            return end;
        }

        private char separator(char end) {
            char found = next();
            if (found != ',' && found != end) throw wrong();
            at++;
            return found;
        }

        private String string() {
            var found = new StringBuilder();
            for (at++; text.charAt(at) != '"'; at++) {
                char each = text.charAt(at);
                if (each < ' ') throw wrong();
                found.append(each == '\\' ? escaped() : each);
            }
            at++;
            return found.toString();
        }

        private char escaped() {
            char each = text.charAt(++at);
            if (each == 'u') {
                at += 4;
                return (char) Integer.parseInt(text.substring(at - 3, at + 1), 16);
            }
            int known = "\"\\/bfnrt".indexOf(each);
            if (known < 0) throw wrong();
            return "\"\\/\b\f\n\r\t".charAt(known);
        }

        private Object word() {
            int from = at;
            while (at < text.length() && "{}[],:\" \t\r\n".indexOf(text.charAt(at)) < 0) at++;
            String word = text.substring(from, at);
            return switch (word) {
                case "true" -> true;
                case "false" -> false;
                case "null" -> null;
                default -> word.matches("-?[0-9]{1,18}") ? (Object) Long.valueOf(word) : Double.valueOf(word);
            };
        }

        /** The next character that is no space, without taking it; 0 at the end. */
        private char next() {
            while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
            return at < text.length() ? text.charAt(at) : 0;
        }

        private RuntimeException wrong() {
            return new IllegalArgumentException("no JSON at character " + at);
        }
    }
}
