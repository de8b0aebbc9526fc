// Judges proofs with the verifiers of @atproto/repo and @atcute, and writes proofs as the reference server does.
//
//   node judge.mjs verify           < claims.ndjson  > verdicts.ndjson
//   node judge.mjs prove REPO.car   < paths.ndjson   > proofs.ndjson
//
// A claim has `did`, `key` (did:key), `collection`, `rkey`, `cid` (null: absent) and `car` (base64). A verdict has
// `atproto` and `atcute`: null if the verifier accepts the claim, otherwise its reason.

import { readFileSync } from 'node:fs';

import * as CAR from '@atcute/car';
import * as CBOR from '@atcute/cbor';
import * as CID from '@atcute/cid';
import { P256PublicKey, parseDidKey, Secp256k1PublicKey } from '@atcute/crypto';
import { NodeStore, ReadonlyMemoryBlockStore, verifyExclusion, verifyInclusion } from '@atcute/mst';
import { verifyRecord } from '@atcute/repo';
import { parseCid } from '@atproto/lex-data';
import { getRecords, MemoryBlockstore, readCarWithRoot, verifyProofs } from '@atproto/repo';

/** Throws unless `verifyProofs`, the function of the reference implementation, accepts the claim. */
const judgeByAtproto = async ({ did, key, collection, rkey, cid }, car) => {
	const claim = { collection, rkey, cid: cid === null ? null : parseCid(cid) };
	const { verified } = await verifyProofs(car, [claim], did, key);
	if (verified.length !== 1) {
		throw new Error('the proof shows something else');
	}
};

/** Reads the blocks of a CAR file, and hashes each of them. */
const blocksOf = async (car) => {
	const blocks = new Map();
	for (const { cid, bytes } of CAR.fromUint8Array(car)) {
		const name = CID.toString(cid);
		if (CID.toString(await CID.create(cid.codec, bytes)) !== name) {
			throw new Error(`${name} is damaged`);
		}
		blocks.set(name, bytes);
	}
	return blocks;
};

const publicKeyOf = async (key) => {
	const { type, publicKeyBytes } = parseDidKey(key);
	const kind = type === 'p256' ? P256PublicKey : Secp256k1PublicKey;
	return kind.importRaw(publicKeyBytes);
};

/** Throws unless the verifiers of @atcute/repo (presence) and @atcute/mst (both) accept the claim. */
const judgeByAtcute = async ({ did, key, collection, rkey, cid }, car) => {
	const publicKey = await publicKeyOf(key);
	const blocks = await blocksOf(car);
	const [root] = CAR.fromUint8Array(car).header.data.roots;
	const { sig, ...unsigned } = CBOR.decode(blocks.get(root.$link));
	if (unsigned.did !== did) {
		throw new Error('another account');
	}
	if (!(await publicKey.verify(CBOR.fromBytes(sig), CBOR.encode(unsigned)))) {
		throw new Error('the signature is invalid');
	}
	const nodes = new NodeStore(new ReadonlyMemoryBlockStore(blocks));
	const path = `${collection}/${rkey}`;
	if (cid === null) {
		await verifyExclusion(nodes, unsigned.data.$link, path);
		return;
	}
	await verifyInclusion(nodes, unsigned.data.$link, path);
	const found = await verifyRecord({ did, collection, rkey, publicKey, carBytes: car });
	if (found.cid !== cid) {
		throw new Error('the proof shows another record');
	}
};

const reasonOf = async (judged) => {
	try {
		await judged;
		return null;
	} catch (error) {
		return `${error?.name}: ${error?.message}`;
	}
};

const verify = async (claim) => {
	const car = new Uint8Array(Buffer.from(claim.car, 'base64'));
	return {
		atproto: await reasonOf(judgeByAtproto(claim, car)),
		atcute: await reasonOf(judgeByAtcute(claim, car)),
	};
};

/** Returns a function that proves a path with the code that answers `com.atproto.sync.getRecord`. */
const proverOf = async (file) => {
	const { root, blocks } = await readCarWithRoot(readFileSync(file));
	const storage = new MemoryBlockstore(blocks);
	return async (path) => {
		const parts = [];
		for await (const part of getRecords(storage, root, [path])) {
			parts.push(part);
		}
		return { car: Buffer.concat(parts).toString('base64') };
	};
};

const [job, file] = process.argv.slice(2);
const answer = job === 'prove' ? await proverOf(file) : verify;
const lines = readFileSync(0, 'utf8').split('\n').filter(Boolean);
const answers = [];
for (const line of lines) {
	answers.push(JSON.stringify(await answer(JSON.parse(line))));
}
process.stdout.write(answers.map((answer) => `${answer}\n`).join(''));
