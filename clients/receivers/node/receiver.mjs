#!/usr/bin/env node
// A receiver of Hartline's notices: verify, open, store, and only then answer 200.
//
//     node receiver.mjs receiver.json          receive
//     node receiver.mjs check FILE.json ...    try this program against the published vectors
//     node receiver.mjs new-key                make a key pair: keep the first, send us the second
//
// Node 20 or newer, nothing else. What the parts of it are for: README.md, and docs/partners.

import crypto from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'

const TOLERANCE = 300 // seconds
const LARGEST = 4 * 1024 * 1024
const ID = /^[A-Za-z0-9_-]{1,100}$/ // an id becomes a file's name
const STATUS = {
  content_type: 415, id: 400, timestamp: 401, signature: 401, jwe: 400, audience: 403,
  issued_at: 400, ids_differ: 400, form: 400,
  recall_names_no_notice: 400,
}

/** Not to be trusted; `reason` is a word of STATUS. */
class Refused extends Error {
  constructor(reason) {
    super(reason)
    this.reason = reason
  }
}

/** Old and new of each while one is changed: ours to open with, Hartline's to verify with. */
function readKeys(config) {
  return {
    agencyId: config.agency_id,
    private: config.private_keys.map((jwk) => crypto.createPrivateKey({ key: jwk, format: 'jwk' })),
    senders: config.sender_keys.map(senderKey),
    secrets: (config.shared_secrets ?? []).map((text) => base64(text.replace(/^whsec_/, ''))),
  }
}

function senderKey(text) {
  const x = base64(text.replace(/^whpk_/, '')).toString('base64url')
  return crypto.createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
}

// Verify and open

/** An authentic, fresh notice for us. Throws Refused. Nothing is parsed before its signature. */
function openNotice(keys, headers, body, now) {
  if (headers['content-type'] !== 'application/jose') throw new Refused('content_type')
  const noticeId = headers['webhook-id'] ?? ''
  if (!ID.test(noticeId)) throw new Refused('id')
  const timestamp = headers['webhook-timestamp'] ?? ''
  if (!/^[0-9]{1,12}$/.test(timestamp) || Math.abs(now - Number(timestamp)) > TOLERANCE) {
    throw new Refused('timestamp')
  }
  const content = Buffer.concat([Buffer.from(`${noticeId}.${timestamp}.`), body])
  const signatures = (headers['webhook-signature'] ?? '').split(' ')
  if (!signatures.some((each) => isSigned(keys, each, content))) throw new Refused('signature')
  const { header, plaintext } = decrypt(keys, body)
  if (header.aud !== keys.agencyId) throw new Refused('audience')
  if (!Number.isInteger(header.iat) || Math.abs(now - header.iat) > TOLERANCE) {
    throw new Refused('issued_at')
  }
  const form = readForm(plaintext)
  if (form.kind === 'challenge') {
    Object.assign(form, { notice_id: noticeId, recipient: { agency_id: keys.agencyId } })
  }
  if (form.recipient.agency_id !== keys.agencyId) throw new Refused('audience')
  if (header.jti !== noticeId || form.notice_id !== noticeId) throw new Refused('ids_differ')
  return { noticeId, plaintext, form }
}

/** Standard Webhooks 1.0: `v1a` is Ed25519, `v1` is HMAC-SHA256. One that verifies is enough. */
function isSigned(keys, signature, content) {
  const comma = signature.indexOf(',')
  const version = signature.slice(0, comma)
  const raw = base64(signature.slice(comma + 1))
  if (version === 'v1') {
    return keys.secrets.some((secret) => {
      const mac = crypto.createHmac('sha256', secret).update(content).digest()
      return mac.length === raw.length && crypto.timingSafeEqual(mac, raw)
    })
  }
  return version === 'v1a' && raw.length === 64 &&
    keys.senders.some((sender) => crypto.verify(null, content, sender, raw))
}

/** A compact JWE: ECDH-ES on P-256 and A256GCM, nothing else. */
function decrypt(keys, body) {
  try {
    const parts = body.toString('latin1').split('.')
    const header = JSON.parse(base64url(parts[0]))
    const [iv, ciphertext, tag] = parts.slice(2).map(base64url)
    const right = parts.length === 5 && parts[1] === '' && iv.length === 12 && tag.length === 16
    // `crit` and `zip` are extensions that this program does not know.
    const known = header.alg === 'ECDH-ES' && header.enc === 'A256GCM' &&
      !('crit' in header) && !('zip' in header)
    if (!right || !known) throw new Refused('jwe')
    const epk = publicKey(header.epk)
    for (const privateKey of keys.private) {
      const shared = crypto.diffieHellman({ privateKey, publicKey: epk })
      const cipher = crypto.createDecipheriv('aes-256-gcm', concatKdf(shared, header), iv)
      cipher.setAAD(Buffer.from(parts[0])).setAuthTag(tag)
      try {
        return { header, plaintext: Buffer.concat([cipher.update(ciphertext), cipher.final()]) }
      } catch { /* not with this key */ }
    }
  } catch { /* no JWE that this program opens */ }
  throw new Refused('jwe')
}

/** The content key of ECDH-ES (RFC 7518, 4.6.2), for A256GCM. */
function concatKdf(shared, header) {
  const parts = [Buffer.from('A256GCM'), base64url(header.apu ?? ''), base64url(header.apv ?? '')]
  const info = parts.flatMap((part) => [uint32(part.length), part])
  const all = [uint32(1), shared, ...info, uint32(256)]
  return crypto.createHash('sha256').update(Buffer.concat(all)).digest()
}

/**
 * The form, or a challenge, which asks whether we hold our key and is none.
 * Members that are not known here are no mistake, and `padding` says nothing.
 */
function readForm(plaintext) {
  try {
    const form = JSON.parse(plaintext)
    if (form.kind === 'challenge' && ID.test(form.challenge)) return form
    const texts = [form.kind, form.referral_number, form.notice_id, form.form,
      form.recipient.agency_id]
    if (texts.every((each) => typeof each === 'string') && Number.isInteger(form.version)) {
      // Kept without the id that it asks back, it would be in the way of every later notice.
      if (form.kind === 'recall' && !names(form.recall?.notice_id)) {
        throw new Refused('recall_names_no_notice')
      }
      return form
    }
  } catch (error) {
    if (error instanceof Refused) throw error
  }
  throw new Refused('form')
}

const names = (id) => typeof id === 'string' && ID.test(id)

// Keep the highest

const KINDS = { original: 'notice', correction: 'notice', consult_outcome: 'consult' }

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
function standings(forms) {
  const recalled = new Set(
    forms.filter((form) => form.kind === 'recall').map((form) => form.recall.notice_id))
  const highest = new Map(), withdrawn = new Set(), outdated = new Map()
  for (const form of forms) {
    const { referral_number: referral, version } = form
    if (form.kind === 'withdrawal') withdrawn.add(key(referral, child(form)))
    else if (form.kind === 'supersession') note(outdated, referral, form.supersedes || version)
    else if (series(form) && !recalled.has(form.notice_id)) note(highest, series(form), rank(form))
  }
  const standing = (form) => {
    const { referral_number: referral, version } = form
    if (recalled.has(form.notice_id)) return 'recalled'
    if (!series(form)) return 'message'
    if (rank(form) < highest.get(series(form))) return 'replaced'
    if ([child(form), ''].some((each) => withdrawn.has(key(referral, each)))) return 'withdrawn'
    return version <= (outdated.get(referral) ?? 0) ? 'outdated' : 'current'
  }
  return Object.fromEntries(forms.map((form) => [form.notice_id, standing(form)]))
}

const note = (highest, of, rank) => highest.set(of, Math.max(rank, highest.get(of) ?? 0))
const rank = (form) => form.version * 1_000_000 + (form.revision ?? 0)
const key = (...parts) => JSON.stringify(parts)
const child = (form) => form.child?.child_id ?? ''

/** What its versions are versions of; undefined of a kind without content. */
function series(form) {
  const kind = Object.hasOwn(KINDS, form.kind) ? KINDS[form.kind] : undefined
  const consult = form.consult?.consult_id ?? ''
  return kind && key(form.form, kind, consult, form.referral_number, child(form))
}

// Store

/** FOLDER/notices/ID.json, as it was decrypted, and FOLDER/standing.tsv, made of those. */
class Store {
  constructor(folder) {
    this.folder = folder
    this.notices = path.join(folder, 'notices')
    fs.mkdirSync(this.notices, { recursive: true, mode: 0o700 })
    this.forms = fs.readdirSync(this.notices).filter((name) => name.endsWith('.json'))
      .map((name) => JSON.parse(fs.readFileSync(path.join(this.notices, name))))
    this.writeStanding()
  }

  /** Returns once it is on the disk. False: it was there before; one id is kept once. */
  keep({ noticeId, plaintext, form }) {
    const file = path.join(this.notices, `${noticeId}.json`)
    const isNew = !fs.existsSync(file)
    if (isNew) {
      fs.writeFileSync(`${file}.half`, plaintext, { flush: true, mode: 0o600 })
      fs.renameSync(`${file}.half`, file)
      this.forms.push(form)
    }
    syncFolder(this.notices) // of a copy that an earlier life left, too
    this.writeStanding()
    return isNew
  }

  writeStanding() {
    const now = standings(this.forms)
    const rows = this.forms.map((form) => [now[form.notice_id], form.kind, form.version,
      form.referral_number, child(form), form.notice_id])
    rows.sort((a, b) => (key(a.slice(3)) < key(b.slice(3)) ? -1 : 1))
    const head = ['standing', 'kind', 'version', 'referral', 'child', 'notice']
    const text = [head, ...rows].map((row) => row.join('\t') + '\n').join('')
    const half = path.join(this.folder, 'standing.half')
    fs.writeFileSync(half, text)
    fs.renameSync(half, path.join(this.folder, 'standing.tsv'))
  }
}

function syncFolder(folder) {
  const handle = fs.openSync(folder, 'r')
  fs.fsyncSync(handle)
  fs.closeSync(handle)
}

// Receive

function serve(configFile) {
  const config = JSON.parse(fs.readFileSync(configFile))
  const keys = readKeys(config)
  const store = new Store(path.resolve(path.dirname(configFile), config.folder))
  const server = http.createServer(async (request, response) => {
    const answer = (status, word) => {
      const headers = { 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(word) }
      response.writeHead(status, headers).end(word)
    }
    try {
      if (request.method !== 'POST') return answer(405, 'method')
      const body = await readBody(request)
      if (body === undefined) {
        response.shouldKeepAlive = false
        return answer(413, 'too_large')
      }
      const notice = openNotice(keys, request.headers, body, Date.now() / 1000)
      if (notice.form.kind === 'challenge') {
        say('answered a challenge')
        return answer(200, JSON.stringify({ challenge: notice.form.challenge }))
      }
      const isNew = store.keep(notice)
      say(`${isNew ? 'stored' : 'had'} ${notice.noticeId} ${notice.form.kind}`)
      answer(200, 'stored')
    } catch (error) {
      const reason = error instanceof Refused ? error.reason : 'cannot_store'
      say(`refused: ${reason}`)
      answer(STATUS[reason] ?? 500, reason)
    }
  })
  server.requestTimeout = 20_000 // so that a caller who says nothing is not waited for
  const [, host, port] = /^(.*):(\d+)$/.exec(config.listen)
  server.listen(Number(port), host, () => say(`listening on ${config.listen}`))
}

/** The bytes as received; undefined when they are too many. */
async function readBody(request) {
  const chunks = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > LARGEST) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

// Keys and vectors

/** Throws unless it is a point on P-256. */
function publicKey({ kty, crv, x, y }) {
  if (kty !== 'EC' || crv !== 'P-256') throw new Refused('jwe')
  return crypto.createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' })
}

/** A key pair as two JWKs; the key's id is its fingerprint (RFC 7638). */
function newKey() {
  const pair = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { crv, kty, x, y, d } = pair.privateKey.export({ format: 'jwk' })
  const canonical = JSON.stringify({ crv, kty, x, y })
  const kid = crypto.createHash('sha256').update(canonical).digest('base64url')
  return [{ crv, kty, x, y, kid, d }, { crv, kty, x, y, kid }]
}

function base64url(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new Refused('jwe')
  return Buffer.from(text, 'base64url')
}

function base64(text) {
  return Buffer.from(/^[A-Za-z0-9+/]*={0,2}$/.test(text) ? text : '', 'base64')
}

function uint32(number) {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(number)
  return bytes
}

/** Prints a line per vector that this program judges otherwise, and how many it has tried. */
function check(files) {
  let tried = 0, wrong = 0
  const compare = (vector, got) => {
    tried += 1
    const [ours, right] = [sorted(got), sorted(vector.expect)]
    if (ours === right) return
    wrong += 1
    say(`${vector.name}: ${ours}, where ${right} is right`)
  }
  for (const file of files) {
    const vectors = JSON.parse(fs.readFileSync(file))
    for (const vector of vectors.requests ?? []) compare(vector, judge(vectors.receiver, vector))
    for (const vector of vectors.standings ?? []) compare(vector, standings(vector.notices))
  }
  console.log(`${tried} vectors, ${wrong} wrong`)
  return wrong || !tried ? 1 : 0
}

function judge(receiver, { headers, body, now }) {
  try {
    const { plaintext } = openNotice(readKeys(receiver), headers, Buffer.from(body), now)
    return crypto.createHash('sha256').update(plaintext).digest('hex')
  } catch (error) {
    return error.reason ?? String(error)
  }
}

const sorted = (value) =>
  typeof value === 'string' ? value : JSON.stringify(Object.entries(value).sort())
const say = (line) => console.error(line)

const [command, ...rest] = process.argv.slice(2)
if (command === 'check') process.exit(check(rest))
else if (command === 'new-key') newKey().forEach((jwk) => console.log(JSON.stringify(jwk)))
else if (command) serve(command)
else say('node receiver.mjs receiver.json | check FILE.json ... | new-key')
