// Calls of a host over plain HTTP.

// Calls a method: with `body` (JSON) or `bytes` it is a procedure. Fails with the name of the error.
export async function call(host, method, { params = {}, body, bytes, type, token, admin } = {}) {
  const headers = {}
  if (token) headers.authorization = `Bearer ${token}`
  if (admin) headers.authorization = `Basic ${Buffer.from(`admin:${host.adminPassword}`).toString('base64')}`
  const payload = bytes ?? (body && JSON.stringify(body))
  if (payload !== undefined) headers['content-type'] = bytes ? type : 'application/json'
  const answer = await fetch(`${host.url}/xrpc/${method}?${new URLSearchParams(params)}`, {
    method: payload === undefined ? 'GET' : 'POST',
    headers,
    body: payload,
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method}: ${answer.status} ${text.slice(0, 500)}`)
  return text && answer.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text
}

// The session of an account whose password follows from its handle.
export class Account {
  static password(handle) {
    return `password of ${handle}`
  }

  static async create(host, handle) {
    const email = `${handle.replaceAll('.', '-')}@example.com`
    const body = { handle, email, password: Account.password(handle) }
    return new Account(host, await call(host, 'com.atproto.server.createAccount', { body }))
  }

  // Creates an account for a DID that exists. The key of the DID says so to the host.
  static async createFor(host, handle, did, key) {
    const part = (value) => Buffer.from(value).toString('base64url')
    const method = 'com.atproto.server.createAccount'
    const exp = Math.floor(Date.now() / 1000) + 60
    const claims = { iss: did, aud: host.did, lxm: method, exp, jti: crypto.randomUUID() }
    const head = { typ: 'JWT', alg: key.jwtAlg }
    const signed = [head, claims].map((value) => part(JSON.stringify(value))).join('.')
    const token = `${signed}.${part(await key.sign(Buffer.from(signed)))}`
    const email = `${handle.replaceAll('.', '-')}@example.com`
    const body = { did, handle, email, password: Account.password(handle) }
    return new Account(host, await call(host, method, { body, token }))
  }

  static async login(host, handle) {
    const body = { identifier: handle, password: Account.password(handle), allowTakendown: true }
    return new Account(host, await call(host, 'com.atproto.server.createSession', { body }))
  }

  constructor(host, session) {
    Object.assign(this, { host, did: session.did, handle: session.handle, token: session.accessJwt })
  }

  post(method, body) {
    return call(this.host, method, { body, token: this.token })
  }

  // Writes at most 200 records in one commit.
  apply(writes) {
    const tagged = writes.map(({ action, ...write }) => ({ $type: `com.atproto.repo.applyWrites#${action}`, ...write }))
    return this.post('com.atproto.repo.applyWrites', { repo: this.did, validate: false, writes: tagged })
  }

  async upload(bytes, type) {
    return (await call(this.host, 'com.atproto.repo.uploadBlob', { bytes, type, token: this.token })).blob
  }

  // The keys and CIDs of all records of a collection.
  async list(collection) {
    const found = []
    let cursor = ''
    do {
      const params = { repo: this.did, collection, limit: 100, ...(cursor && { cursor }) }
      const page = await call(this.host, 'com.atproto.repo.listRecords', { params })
      found.push(...page.records)
      cursor = page.records.length ? page.cursor : undefined
    } while (cursor)
    return found.map(({ uri, cid }) => ({ rkey: uri.split('/').pop(), cid }))
  }
}
