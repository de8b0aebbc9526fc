// Acts on an account of the running servers: act.mjs --dir DIR [--pds N] ACTION HANDLE [ARGUMENT…]
import fs from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parseArgs } from 'node:util'
import { Account, call } from './xrpc.mjs'
import { blobs, bulk, change, each, fill } from './records.mjs'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { dir: { type: 'string' }, pds: { type: 'string', default: '0' } },
})
const [action, handle, ...rest] = positionals
const network = JSON.parse(fs.readFileSync(path.join(options.dir, 'servers.json'), 'utf8'))
const host = network.hosts[Number(options.pds)]
const login = () => Account.login(host, handle)
const administer = (method, body) => call(host, method, { body, admin: true })

// A row of the host's database of accounts. The host itself does not find an account that was taken down.
function row(query, ...values) {
  return new DatabaseSync(path.join(host.data, 'account.sqlite'), { readOnly: true }).prepare(query).get(...values)
}

const didOf = () => row('select did from actor where handle = ?', handle).did

function takeDown(applied) {
  const subject = { $type: 'com.atproto.admin.defs#repoRef', did: didOf() }
  return administer('com.atproto.admin.updateSubjectStatus', { subject, takedown: { applied, ref: '1' } })
}

// The code that the host has written in a mail. It has no mail server, but it keeps the code.
function mailedToken(purpose) {
  return row('select token from email_token where did = ? and purpose = ?', didOf(), purpose)?.token
}

// Changes fields of the account's identity with an operation that the host signs. A service is named by its id.
async function changeIdentity(changes) {
  const { default: plc } = await import('@did-plc/lib')
  const { Secp256k1Keypair } = await import('@atproto/crypto')
  const did = didOf()
  const client = new plc.Client(network.plc)
  const key = await Secp256k1Keypair.import(host.rotationKey)
  const last = await client.getLastOp(did)
  const operation = await plc.createUpdateOp(last, key, (before) => ({ ...before, ...changes(before) }))
  await client.sendOperation(did, operation)
  return operation
}

const ACTIONS = {
  // Creates the account. Its password is `password of HANDLE`.
  create: async () => {
    const { did } = await Account.create(host, handle)
    return { did, handle, password: Account.password(handle), host: host.url }
  },
  // DID KEY: creates the account for a DID, whose document names the key (hexadecimal). Returns the signing key of the
  // host, which the document has to name before the account is activated.
  adopt: async (did, key) => {
    const { Secp256k1Keypair } = await import('@atproto/crypto')
    const account = await Account.createFor(host, handle, did, await Secp256k1Keypair.import(key))
    const method = 'com.atproto.identity.getRecommendedDidCredentials'
    return (await call(host, method, { token: account.token })).verificationMethods.atproto
  },
  fill: async () => fill(await login()),
  // N: creates so many notes.
  bulk: async (count) => bulk(await login(), Number(count), Date.now() % 2 ** 31),
  // N: creates so many notes, each in a commit of its own.
  each: async (count) => each(await login(), Number(count)),
  // N BYTES: uploads so many blobs of a size, and refers to them.
  blobs: async (count, size) => blobs(await login(), Number(count), Number(size)),
  // N SEED: creates, updates and deletes so many random notes in one commit.
  change: async (count, seed) => change(await login(), Number(count), Number(seed)),
  // Applies the writes of standard input: a list of {action, collection, rkey, value}.
  apply: async () => (await login()).apply(JSON.parse(fs.readFileSync(0, 'utf8'))),
  deactivate: async () => (await login()).post('com.atproto.server.deactivateAccount', {}),
  activate: async () => {
    const { token } = await login()
    return call(host, 'com.atproto.server.activateAccount', { token, bytes: '', type: 'application/json' })
  },
  takedown: () => takeDown(true),
  restore: () => takeDown(false),
  delete: () => administer('com.atproto.admin.deleteAccount', { did: didOf() }),
  // Names another host in the identity, by an operation of the directory.
  endpoint: (url) => changeIdentity(({ services }) => ({
    services: { ...services, atproto_pds: { type: 'AtprotoPersonalDataServer', endpoint: url } },
  })),
  // Changes the fields of standard input in the identity.
  identity: () => changeIdentity(() => JSON.parse(fs.readFileSync(0, 'utf8'))),
  // Ends the account in the directory.
  tombstone: async () => {
    const { default: plc } = await import('@did-plc/lib')
    const { Secp256k1Keypair } = await import('@atproto/crypto')
    const did = didOf()
    return new plc.Client(network.plc).tombstone(did, await Secp256k1Keypair.import(host.rotationKey))
  },
  // PURPOSE: prints the mailed code, such as that for plc_operation.
  token: mailedToken,
}

const act = ACTIONS[action]
if (!act || !handle) {
  console.error(`usage: act.mjs --dir DIR [--pds N] ${Object.keys(ACTIONS).join('|')} HANDLE [ARGUMENT…]`)
  process.exit(2)
}
console.log(JSON.stringify((await act(...rest)) ?? null))
