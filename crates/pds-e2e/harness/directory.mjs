// A PLC directory on loopback. Its operations are kept in a file, so that a second start knows them.
import fs from 'node:fs'
import http from 'node:http'
import plc from '@did-plc/lib'
import plcServer from '@did-plc/server'

const CONTEXTS = [
  'https://www.w3.org/ns/did/v1',
  'https://w3id.org/security/multikey/v1',
  'https://w3id.org/security/suites/secp256k1-2019/v1',
]

// Starts the directory and returns its server.
export async function startDirectory({ port, file }) {
  const db = plcServer.Database.mock()
  if (fs.existsSync(file)) await restore(db, JSON.parse(fs.readFileSync(file, 'utf8')))
  const add = db.validateAndAddOp.bind(db)
  db.validateAndAddOp = async (did, operation) => {
    await add(did, operation)
    fs.writeFileSync(file, JSON.stringify(db.contents))
  }
  const { app } = plcServer.PlcServer.create({ db })
  const server = http.createServer((request, response) => {
    const did = decodeURIComponent(request.url.slice(1))
    if (request.method !== 'GET' || !db.contents[did]) return app(request, response)
    answerDocument(db, did, response).catch((error) => response.writeHead(500).end(String(error)))
  })
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve))
  return server
}

// Adds stored operations in their order, which validates them, and then gives them their times.
async function restore(db, contents) {
  for (const [did, entries] of Object.entries(contents)) {
    for (const { operation } of entries) await db.validateAndAddOp(did, operation)
    entries.forEach(({ createdAt }, at) => {
      db.contents[did][at].createdAt = new Date(createdAt)
    })
  }
}

// The package writes keys in the form of 2022. The public directory has changed to multikeys since.
async function answerDocument(db, did, response) {
  const data = await plc.validateOperationLog(did, await db.opsForDid(did))
  if (!data) {
    response.writeHead(404, { 'content-type': 'application/json' })
    return response.end(JSON.stringify({ message: `DID not available: ${did}` }))
  }
  const document = {
    '@context': CONTEXTS,
    id: did,
    alsoKnownAs: data.alsoKnownAs,
    verificationMethod: Object.entries(data.verificationMethods).map(([name, key]) => ({
      id: `${did}#${name}`,
      type: 'Multikey',
      controller: did,
      publicKeyMultibase: key.slice('did:key:'.length),
    })),
    service: Object.entries(data.services).map(([name, { type, endpoint }]) => ({
      id: `#${name}`,
      type,
      serviceEndpoint: endpoint,
    })),
  }
  response.writeHead(200, { 'content-type': 'application/did+ld+json' })
  response.end(JSON.stringify(document))
}
