// Starts a PLC directory and PDSes on loopback. Their data are in a directory, and a second start there continues them.
//   start.mjs [--dir DIR] [--pds N] [--blob-limit BYTES] [--rate-limits] [--until-eof]
// Without a directory, it makes one and removes it at the end. Prints one line of JSON when the servers answer, which is
// in DIR/servers.json too. Ends with a signal, and with --until-eof at the end of its input, so that the servers never
// outlive the process that holds the other end.
import crypto from 'node:crypto'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { once } from 'node:events'
import { parseArgs } from 'node:util'

process.env.LOG_ENABLED ??= 'false'
const { startDirectory } = await import('./directory.mjs')
const { PDS } = await import('@atproto/pds')

const { values: options } = parseArgs({
  options: {
    dir: { type: 'string' },
    pds: { type: 'string', default: '2' },
    'blob-limit': { type: 'string' },
    'rate-limits': { type: 'boolean', default: false },
    'until-eof': { type: 'boolean', default: false },
  },
})

// Ports that are free now. They are held together, so that they differ.
async function freePorts(count) {
  const held = Array.from({ length: count }, () => net.createServer().listen(0, '127.0.0.1'))
  await Promise.all(held.map((server) => once(server, 'listening')))
  const ports = held.map((server) => server.address().port)
  await Promise.all(held.map((server) => once(server.close(), 'close')))
  return ports
}

async function newNetwork(count) {
  const [plcPort, ...ports] = await freePorts(count + 1)
  const secret = () => crypto.randomBytes(32).toString('hex')
  const host = (port) => ({
    port,
    url: `http://localhost:${port}`,
    did: `did:web:localhost%3A${port}`,
    adminPassword: secret(),
    jwtSecret: secret(),
    rotationKey: secret(),
  })
  return { plcPort, plc: `http://localhost:${plcPort}`, hosts: ports.map(host) }
}

async function startHost(host, directory, plc) {
  fs.mkdirSync(directory, { recursive: true })
  const pds = await PDS.fromEnv({
    port: host.port,
    hostname: 'localhost',
    serviceDid: host.did,
    devMode: true,
    disableSsrfProtection: true,
    dataDirectory: directory,
    blobstoreDiskLocation: path.join(directory, 'blocks'),
    didPlcUrl: plc,
    // A changed document must be seen at once.
    didCacheStaleTTL: 1,
    didCacheMaxTTL: 1,
    serviceHandleDomains: ['.test'],
    inviteRequired: false,
    blobUploadLimit: options['blob-limit'] && Number(options['blob-limit']),
    rateLimitsEnabled: options['rate-limits'],
    // Never reached. Without an address, the host has no preferences either.
    bskyAppViewUrl: 'https://appview.invalid',
    bskyAppViewDid: 'did:web:appview.invalid',
    adminPassword: host.adminPassword,
    jwtSecret: host.jwtSecret,
    dpopSecret: host.jwtSecret,
    plcRotationKeyK256PrivateKeyHex: host.rotationKey,
  })
  // The host would listen on every address of the machine.
  const listen = pds.app.listen.bind(pds.app)
  pds.app.listen = (port) => listen(port, '127.0.0.1')
  await pds.start()
  return pds
}

const dir = path.resolve(options.dir ?? fs.mkdtempSync(path.join(os.tmpdir(), 'servers-')))
fs.mkdirSync(dir, { recursive: true })
const file = path.join(dir, 'servers.json')
const network = fs.existsSync(file)
  ? JSON.parse(fs.readFileSync(file, 'utf8'))
  : await newNetwork(Number(options.pds))
const directory = await startDirectory({ port: network.plcPort, file: path.join(dir, 'plc.json') })
const running = []
for (const [at, host] of network.hosts.entries()) {
  host.data = path.join(dir, `pds${at}`)
  running.push(await startHost(host, host.data, network.plc))
}
fs.writeFileSync(file, JSON.stringify({ ...network, dir, pid: process.pid }), { mode: 0o600 })
console.log(fs.readFileSync(file, 'utf8'))

let isEnding = false
async function end() {
  if (isEnding) return
  isEnding = true
  await Promise.all(running.map((pds) => pds.destroy()))
  directory.close()
  if (!options.dir) fs.rmSync(dir, { recursive: true, force: true })
  process.exit(0)
}
process.on('SIGTERM', end)
process.on('SIGINT', end)
if (options['until-eof']) process.stdin.on('end', end).resume()
