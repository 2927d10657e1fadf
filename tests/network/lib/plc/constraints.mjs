// What the public directory refuses today, and the published server of 2023 did not. Limits and messages are those of
// the directory's own source (did-method-plc, packages/server/src/constraints.ts), January 2026.
import { P256_JWT_ALG, parseDidKey } from '@atproto/crypto';
import * as plc from '@did-plc/lib';
import * as cbor from '@ipld/dag-cbor';

const MAX_BYTES = 4000;
const MAX_ENTRIES = 10;
const MAX_ID = 32;
const MAX_ALIAS = 258;
const MAX_SERVICE_TYPE = 256;
const MAX_ENDPOINT = 512;
const RATES = [
  { name: 'week', ms: 7 * 24 * 3_600_000, max: 100 },
  { name: 'day', ms: 24 * 3_600_000, max: 30 },
  { name: 'hour', ms: 3_600_000, max: 10 },
];
const FIELDS = {
  plc_operation: ['type', 'rotationKeys', 'verificationMethods', 'alsoKnownAs', 'services', 'prev', 'sig'],
  plc_tombstone: ['type', 'prev', 'sig'],
};
// Half the order of each curve's group: a signature's s above it is the malleable twin of a valid one.
const HALF_ORDER = {
  K256: 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n,
  P256: 0x7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8n,
};

/** Throws an error that answers with `status` and {message}. */
export function refuse(status, message) {
  throw Object.assign(new Error(message), { status });
}

/**
 * The operation without unknown fields, as the directory keeps it, or a refusal.
 *
 * An operation that was signed with an unknown field then fails on its signature, as it does in public.
 */
export function acceptable(input) {
  let bytes;
  try {
    bytes = cbor.encode(input).length;
  } catch {
    refuse(400, `Not a valid operation: ${JSON.stringify(input)}`);
  }
  if (bytes > MAX_BYTES) refuse(400, `Operation too large (${MAX_BYTES} bytes maximum in cbor encoding)`);
  const operation = plc.def.opOrTombstone.safeParse(input);
  if (!operation.success) refuse(400, `Not a valid operation: ${JSON.stringify(input)}`);
  const known = Object.fromEntries(FIELDS[input.type].map((field) => [field, input[field]]));
  strictSignature(known);
  if (known.type === 'plc_operation') withinSizes(known);
  return known;
}

/** 64 bytes in base64url, without padding, in the one canonical spelling. */
function strictSignature(operation) {
  const bytes = Buffer.from(operation.sig, 'base64url');
  if (bytes.toString('base64url') !== operation.sig || bytes.length !== 64) invalidSignature(operation);
}

/** The published server takes the malleable twin of a signature; the public one does not. */
export async function lowS(operation, valid) {
  const before = valid.find((entry) => String(entry.cid) === operation.prev)?.operation ?? operation;
  const signer = await plc.assureValidSig(plc.normalizeOp(before).rotationKeys, operation);
  const s = BigInt(`0x${Buffer.from(operation.sig, 'base64url').subarray(32).toString('hex')}`);
  const half = parseDidKey(signer).jwtAlg === P256_JWT_ALG ? HALF_ORDER.P256 : HALF_ORDER.K256;
  if (s > half) invalidSignature(operation);
}

function invalidSignature(operation) {
  refuse(400, `Invalid signature on op: ${JSON.stringify(operation)}`);
}

function withinSizes({ alsoKnownAs, services, verificationMethods }) {
  few(alsoKnownAs, 'alsoKnownAs');
  if (new Set(alsoKnownAs).size < alsoKnownAs.length) refuse(400, 'duplicate alsoKnownAs entry');
  for (const alias of alsoKnownAs) short(alias, MAX_ALIAS, 'alsoKnownAs entry');
  few(Object.keys(services), 'service');
  for (const [id, { type, endpoint }] of Object.entries(services)) {
    short(id, MAX_ID, 'Service id');
    short(type, MAX_SERVICE_TYPE, 'Service type');
    short(endpoint, MAX_ENDPOINT, 'Service endpoint');
  }
  few(Object.keys(verificationMethods), 'Verification Method');
  for (const id of Object.keys(verificationMethods)) short(id, MAX_ID, 'Verification Method id');
}

function few(list, what) {
  if (list.length > MAX_ENTRIES) refuse(400, `To many ${what} entries (max ${MAX_ENTRIES})`);
}

function short(text, max, what) {
  if (text.length > max) refuse(400, `${what} too long (max ${max})`);
}

/** At most 10 operations an hour, 30 a day, 100 a week for one DID; nullified ones do not count. */
export function withinRate(valid) {
  for (const { name, ms, max } of RATES) {
    const recent = valid.filter((entry) => entry.createdAt.getTime() > Date.now() - ms).length;
    if (recent >= max) refuse(400, `To many operations within last ${name} (max ${max})`);
  }
}
