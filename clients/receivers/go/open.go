package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"regexp"
	"strconv"
	"strings"
)

const tolerance = 300 // seconds

var (
	idPattern        = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`) // an id becomes a file's name
	timestampPattern = regexp.MustCompile(`^[0-9]{1,12}$`)
)

// Keys are old and new of each while one is changed: ours to open with, Hartline's to verify with.
type Keys struct {
	agencyID string
	private  []*ecdh.PrivateKey
	senders  []ed25519.PublicKey
	secrets  [][]byte
}

// Notice is authentic, fresh, and for us.
type Notice struct {
	id        string
	plaintext []byte
	form      Form
}

// JWK is a key on P-256; D only of ours.
type JWK struct {
	Crv string `json:"crv"`
	Kty string `json:"kty"`
	X   string `json:"x"`
	Y   string `json:"y"`
	Kid string `json:"kid,omitempty"`
	D   string `json:"d,omitempty"`
}

type protectedHeader struct {
	Alg, Enc, Aud, Jti, Apu, Apv string
	Iat                          *int64
	Epk                          JWK
	// Extensions that this program does not know.
	Crit, Zip json.RawMessage
}

func (config Config) keys() (*Keys, error) {
	keys := &Keys{agencyID: config.AgencyID}
	for _, text := range config.SenderKeys {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "whpk_"))
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("sender_keys: not a whpk_ key")
		}
		keys.senders = append(keys.senders, raw)
	}
	for _, text := range config.SharedSecrets {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "whsec_"))
		if err != nil {
			return nil, fmt.Errorf("shared_secrets: not a whsec_ secret")
		}
		keys.secrets = append(keys.secrets, raw)
	}
	for _, jwk := range config.PrivateKeys {
		raw, err := base64.RawURLEncoding.DecodeString(jwk.D)
		if err != nil {
			return nil, fmt.Errorf("private_keys: %w", err)
		}
		key, err := ecdh.P256().NewPrivateKey(raw)
		if err != nil {
			return nil, fmt.Errorf("private_keys: %w", err)
		}
		keys.private = append(keys.private, key)
	}
	return keys, nil
}

// open refuses with Refused. Nothing is parsed before its signature has been verified.
func (keys *Keys) open(headers map[string]string, body []byte, now int64) (*Notice, error) {
	if headers["content-type"] != "application/jose" {
		return nil, Refused("content_type")
	}
	id, timestamp := headers["webhook-id"], headers["webhook-timestamp"]
	if !idPattern.MatchString(id) {
		return nil, Refused("id")
	}
	at, _ := strconv.ParseInt(timestamp, 10, 64)
	if !timestampPattern.MatchString(timestamp) || !near(at, now) {
		return nil, Refused("timestamp")
	}
	content := append([]byte(id+"."+timestamp+"."), body...)
	if !keys.anySigned(strings.Fields(headers["webhook-signature"]), content) {
		return nil, Refused("signature")
	}
	header, plaintext, err := keys.decrypt(body)
	if err != nil {
		return nil, err
	}
	if header.Aud != keys.agencyID {
		return nil, Refused("audience")
	}
	if header.Iat == nil || !near(*header.Iat, now) {
		return nil, Refused("issued_at")
	}
	form, err := readForm(plaintext)
	if err != nil {
		return nil, err
	}
	if form.Kind == "challenge" {
		form.NoticeID, form.Recipient.AgencyID = id, keys.agencyID
	}
	if form.Recipient.AgencyID != keys.agencyID {
		return nil, Refused("audience")
	}
	if header.Jti != id || form.NoticeID != id {
		return nil, Refused("ids_differ")
	}
	return &Notice{id, plaintext, form}, nil
}

func near(at, now int64) bool { return at-now <= tolerance && now-at <= tolerance }

// anySigned: Standard Webhooks 1.0, `v1a` is Ed25519, `v1` is HMAC-SHA256; one that verifies is enough.
func (keys *Keys) anySigned(signatures []string, content []byte) bool {
	for _, signature := range signatures {
		version, encoded, _ := strings.Cut(signature, ",")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			continue
		}
		for _, sender := range keys.senders {
			if version == "v1a" && ed25519.Verify(sender, content, raw) {
				return true
			}
		}
		for _, secret := range keys.secrets {
			mac := hmac.New(sha256.New, secret)
			mac.Write(content)
			if version == "v1" && hmac.Equal(mac.Sum(nil), raw) {
				return true
			}
		}
	}
	return false
}

// decrypt opens a compact JWE: ECDH-ES on P-256 and A256GCM, nothing else.
func (keys *Keys) decrypt(body []byte) (*protectedHeader, []byte, error) {
	parts := bytes.Split(body, []byte("."))
	if len(parts) != 5 || len(parts[1]) != 0 {
		return nil, nil, Refused("jwe")
	}
	var raw [5][]byte
	for i, part := range parts {
		decoded, err := base64.RawURLEncoding.DecodeString(string(part))
		if err != nil {
			return nil, nil, Refused("jwe")
		}
		raw[i] = decoded
	}
	var header protectedHeader
	if json.Unmarshal(raw[0], &header) != nil || len(raw[2]) != 12 || len(raw[4]) != 16 ||
		header.Alg != "ECDH-ES" || header.Enc != "A256GCM" || header.Crit != nil || header.Zip != nil {
		return nil, nil, Refused("jwe")
	}
	epk, err := header.Epk.public()
	if err != nil {
		return nil, nil, Refused("jwe")
	}
	for _, private := range keys.private {
		if plaintext, err := decryptWith(private, epk, header, raw, parts[0]); err == nil {
			return &header, plaintext, nil
		}
	}
	return nil, nil, Refused("jwe")
}

func decryptWith(private *ecdh.PrivateKey, epk *ecdh.PublicKey, header protectedHeader, raw [5][]byte, aad []byte) ([]byte, error) {
	shared, err := private.ECDH(epk)
	if err != nil {
		return nil, err
	}
	key, err := concatKDF(shared, header)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return gcm.Open(nil, raw[2], append(bytes.Clone(raw[3]), raw[4]...), aad)
}

// concatKDF makes the content key of ECDH-ES (RFC 7518, 4.6.2), for A256GCM.
func concatKDF(shared []byte, header protectedHeader) ([]byte, error) {
	apu, err := base64.RawURLEncoding.DecodeString(header.Apu)
	if err != nil {
		return nil, err
	}
	apv, err := base64.RawURLEncoding.DecodeString(header.Apv)
	if err != nil {
		return nil, err
	}
	all := append([]byte{0, 0, 0, 1}, shared...)
	for _, part := range [][]byte{[]byte("A256GCM"), apu, apv} {
		all = append(binary.BigEndian.AppendUint32(all, uint32(len(part))), part...)
	}
	key := sha256.Sum256(binary.BigEndian.AppendUint32(all, 256))
	return key[:], nil
}

// public fails unless it is a point on P-256.
func (jwk JWK) public() (*ecdh.PublicKey, error) {
	x, errX := base64.RawURLEncoding.DecodeString(jwk.X)
	y, errY := base64.RawURLEncoding.DecodeString(jwk.Y)
	if jwk.Kty != "EC" || jwk.Crv != "P-256" || errX != nil || errY != nil || len(x) != 32 || len(y) != 32 {
		return nil, Refused("jwe")
	}
	return ecdh.P256().NewPublicKey(append(append([]byte{4}, x...), y...))
}

// newKey prints a key pair as two JWKs; the key's id is its fingerprint (RFC 7638).
func newKey() {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	point := key.PublicKey().Bytes()
	jwk := JWK{Crv: "P-256", Kty: "EC", X: encode(point[1:33]), Y: encode(point[33:])}
	canonical, _ := json.Marshal(jwk)
	fingerprint := sha256.Sum256(canonical)
	jwk.Kid = encode(fingerprint[:])
	public, _ := json.Marshal(jwk)
	jwk.D = encode(key.Bytes())
	private, _ := json.Marshal(jwk)
	fmt.Printf("%s\n%s\n", private, public)
}

func (keys *Keys) judge(headers map[string]string, body string, now int64) string {
	notice, err := keys.open(headers, []byte(body), now)
	if err != nil {
		return err.Error()
	}
	digest := sha256.Sum256(notice.plaintext)
	return hex.EncodeToString(digest[:])
}
