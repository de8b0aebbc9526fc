// Records and blobs of every kind that a host accepts.
import zlib from 'node:zlib'

// A generator of numbers that always begins the same way for one seed.
export function numbers(seed) {
  let state = (seed * 2654435761 + 1) >>> 0
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

export function randomBytes(length, seed) {
  const next = numbers(seed)
  return Buffer.from(Array.from({ length }, () => next(256)))
}

// A grey PNG of one byte a pixel, whose type hosts recognize.
export function png(side, seed) {
  const chunk = (name, data) => {
    const body = Buffer.concat([Buffer.from(name), data])
    const frame = Buffer.alloc(8)
    frame.writeUInt32BE(data.length, 0)
    frame.writeUInt32BE(zlib.crc32(body), 4)
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)])
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(side, 0)
  header.writeUInt32BE(side, 4)
  header[8] = 8
  const rows = Array.from({ length: side }, (_, row) => Buffer.concat([Buffer.alloc(1), randomBytes(side, seed + row)]))
  const magic = Buffer.from('89504e470d0a1a0a', 'hex')
  const data = zlib.deflateSync(Buffer.concat(rows))
  return Buffer.concat([magic, chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))])
}

export const NOTE = 'com.example.note'

// A small record whose size varies.
export const note = (number, next) => ({ $type: NOTE, number, text: 'note '.repeat(1 + next(30)) })

const base64 = (length) => Buffer.alloc(length, 1).toString('base64').replace(/=+$/, '')

// Values at the edges of the data model: each becomes a record of its own.
const VALUES = {
  integers: { is: [0, -1, 23, 24, 255, 256, 65535, 65536, 2 ** 32, -(2 ** 32) - 1, 2 ** 53 - 1, 1 - 2 ** 53] },
  text: { is: 'é e\u0301 שלום 漢字 👩‍👩‍👧 \u0000 \u001f \u007f \u2028 \ufeff \u{10ffff}' },
  keys: { '': 1, b: 2, aa: 3, ключ: 4, '\u{1f600}': 5, bb: 6 },
  bytes: { is: [0, 1, 23, 24, 256, 65536].map((length) => ({ $bytes: base64(length) })) },
  empty: { is: [[], {}, '', null, true, false, [[], [{}]]] },
  deep: Array.from({ length: 60 }).reduce((inner) => ({ inner }), { end: true }),
  long: { is: 'x'.repeat(100_000) },
  wide: Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`key${at}`, at])),
  'twin-a': { same: 1 },
  'twin-b': { same: 1 },
  'AZaz09_~.:-': { key: 'of every allowed character' },
  ['r'.repeat(512)]: { key: 'of the greatest length' },
}

// Writes one record of each kind with blobs of each kind, then changes and deletes some. Returns the blobs.
export async function fill(account) {
  const { did } = account
  const create = (collection, record, rkey) =>
    account.post('com.atproto.repo.createRecord', { repo: did, collection, rkey, record: { $type: collection, ...record } })
  const createdAt = new Date().toISOString()
  const image = await account.upload(png(48, 1), 'image/png')
  const other = await account.upload(png(8, 2), 'image/png')
  const text = await account.upload(Buffer.from('text without a magic number\n'), 'text/plain')
  const large = await account.upload(randomBytes(900_000, 3), 'application/octet-stream')
  const empty = await account.upload(Buffer.alloc(0), 'application/octet-stream')

  const posts = []
  for (const at of [0, 1, 2, 3]) posts.push(await create('app.bsky.feed.post', { text: `post ${at}`, createdAt }))
  const [subject] = posts.map(({ uri, cid }) => ({ uri, cid }))
  await create('app.bsky.feed.post', { text: 'reply', createdAt, reply: { root: subject, parent: subject } })
  const images = [image, other].map((image) => ({ image, alt: '' }))
  await create('app.bsky.feed.post', { text: 'two images', createdAt, embed: { $type: 'app.bsky.embed.images', images } })
  await create('app.bsky.feed.like', { subject, createdAt })
  await create('app.bsky.feed.repost', { subject, createdAt })
  await create('app.bsky.graph.follow', { subject: did, createdAt })
  await create('app.bsky.actor.profile', { displayName: 'Ålice 🐈', avatar: other }, 'self')

  const edge = 'com.example.edge'
  const values = { ...VALUES, links: { is: [{ $link: subject.cid }, { inner: { $link: image.ref.$link } }] } }
  values.blobs = { text, inner: [{ large }, { empty }, { again: image }] }
  const writes = Object.entries(values).map(([rkey, value]) => ({ action: 'create', collection: edge, rkey, value }))
  writes.push({ action: 'create', collection: 'com.example.camelCaseName', rkey: 'a', value: { number: 1 } })
  await account.apply(writes.map((write) => ({ ...write, value: { $type: write.collection, ...write.value } })))
  await account.apply([
    { action: 'update', collection: edge, rkey: 'twin-a', value: { $type: edge, same: 2 } },
    { action: 'delete', collection: 'app.bsky.feed.post', rkey: posts[3].uri.split('/').pop() },
  ])
  return [image, other, text, large, empty]
}

// Creates numbered notes, 200 in one commit.
export async function bulk(account, count, from = 0) {
  const next = numbers(from)
  for (let at = 0; at < count; at += 200) {
    const range = Array.from({ length: Math.min(200, count - at) }, (_, more) => from + at + more)
    await account.apply(range.map((number) => ({ action: 'create', collection: NOTE, value: note(number, next) })))
  }
}

// Creates notes, each in a commit of its own.
export async function each(account, count) {
  const next = numbers(count)
  for (let number = 0; number < count; number++) {
    await account.apply([{ action: 'create', collection: NOTE, value: note(number, next) }])
  }
}

// Uploads blobs, and creates a record for every ten of them.
export async function blobs(account, count, size) {
  const collection = 'com.example.album'
  for (let at = 0; at < count; at += 10) {
    const uploads = Array.from({ length: Math.min(10, count - at) }, (_, more) =>
      account.upload(randomBytes(size, at + more + 1000), 'application/octet-stream'))
    await account.apply([{ action: 'create', collection, value: { $type: collection, files: await Promise.all(uploads) } }])
  }
}

// Creates, updates and deletes random notes in one commit.
export async function change(account, count, seed) {
  const next = numbers(seed)
  const kept = await account.list(NOTE)
  const writes = Array.from({ length: count }, (_, at) => {
    const value = note(seed * 1000 + at, next)
    const kind = next(kept.length ? 4 : 1)
    if (kind < 2) return { action: 'create', collection: NOTE, value }
    const [{ rkey }] = kept.splice(next(kept.length), 1)
    return kind === 2 ? { action: 'update', collection: NOTE, rkey, value } : { action: 'delete', collection: NOTE, rkey }
  })
  await account.apply(writes)
}
