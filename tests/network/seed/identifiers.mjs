// Made-up identifiers in the forms that the protocol asks for. Source: atproto specifications "TID" and "DID", CIDv1.
import crypto from 'node:crypto';

const SORTABLE = '234567abcdefghijklmnopqrstuvwxyz';
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** A TID: microseconds since 1970 (53 bits) and a clock id (10 bits), 13 letters that sort like the time. */
export function tid(date, clock = 0) {
  let rest = BigInt(date.getTime()) * 1000n * 1024n + BigInt(clock);
  let text = '';
  for (let n = 0; n < 13; n++) {
    text = SORTABLE[Number(rest & 31n)] + text;
    rest >>= 5n;
  }
  return text;
}

/** The DID of somebody who does not exist. */
export function strangerDid(random) {
  return `did:plc:${Array.from(random.bytes(24), (byte) => BASE32[byte & 31]).join('')}`;
}

/** The CID (dag-cbor, SHA-256) of a record that nobody has. */
export function strangerCid(random) {
  const hash = crypto.createHash('sha256').update(random.bytes(32)).digest();
  return `b${base32(Buffer.concat([Buffer.from([1, 0x71, 0x12, 0x20]), hash]))}`;
}

function base32(bytes) {
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += BASE32[(value >>> (bits - 5)) & 31];
    value &= (1 << bits) - 1;
  }
  return bits > 0 ? text + BASE32[(value << (5 - bits)) & 31] : text;
}
