// One account that writes: gathers writes, sends them in batches, and keeps count of what it left behind.
import { Pds } from './xrpc.mjs';
import { tid } from './identifiers.mjs';

/** Well under the PDS's limits of 200 writes and 150 kB of JSON. */
const BATCH_WRITES = 100;
const BATCH_BYTES = 100_000;

export class Author {
  #pds;
  #waiting = [];
  #bytes = 0;
  #records = new Map();
  #now;
  #step;

  /** Creates the account. `span` is {from: Date, steps: number, to: Date}: when its records say they were written. */
  static async join(url, { handle, email, password, invite }, span) {
    const pds = new Pds(url);
    const body = { handle, email, password, ...(invite ? { inviteCode: invite } : {}) };
    const { did, accessJwt } = await pds.procedure('com.atproto.server.createAccount', body);
    return new Author(pds.withAccess(accessJwt), { did, handle, email, password, pds: pds.url }, span);
  }

  constructor(pds, account, span) {
    this.#pds = pds;
    this.account = account;
    this.#now = span.from.getTime();
    this.#step = Math.max(1000, Math.floor((span.to - span.from) / span.steps));
    this.blobs = [];
    this.deleted = [];
    this.edited = [];
  }

  get did() {
    return this.account.did;
  }

  /** The next moment in this account's life, later than every one before. */
  nextTime() {
    this.#now += this.#step;
    return new Date(this.#now);
  }

  async upload(bytes, mimeType) {
    const { blob } = await this.#pds.upload('com.atproto.repo.uploadBlob', bytes, mimeType);
    this.blobs.push({ cid: blob.ref.$link, mimeType: blob.mimeType, size: blob.size });
    return blob;
  }

  /**
   * Writes a record with the next batch; its key is a TID of `time`, unless given.
   * Returns {uri, cid, collection, rkey, value}; the CID is there after the batch was sent.
   */
  async create(collection, value, { time = this.nextTime(), rkey = tid(time) } = {}) {
    const record = { uri: `at://${this.did}/${collection}/${rkey}`, cid: undefined, collection, rkey, value };
    this.#records.set(record.uri, record);
    await this.#queue({ $type: `${WRITE}#create`, collection, rkey, value }, record);
    return record;
  }

  async edit(record, value) {
    this.edited.push(record.uri);
    record.value = value;
    await this.#queue({ $type: `${WRITE}#update`, collection: record.collection, rkey: record.rkey, value }, record);
  }

  async delete(record) {
    this.deleted.push(record.uri);
    this.#records.delete(record.uri);
    await this.#queue({ $type: `${WRITE}#delete`, collection: record.collection, rkey: record.rkey });
  }

  /** Sends what is waiting: one commit. */
  async flush() {
    const batch = this.#waiting;
    if (batch.length === 0) return;
    this.#waiting = [];
    this.#bytes = 0;
    const body = { repo: this.did, writes: batch.map(({ write }) => write) };
    const { results } = await this.#pds.procedure(WRITE, body);
    batch.forEach(({ record }, n) => {
      if (record) record.cid = results[n].cid;
    });
  }

  /** What the account holds, as the host itself counts it. Throws when the host counts otherwise than we do. */
  async summary() {
    await this.flush();
    const status = await this.#pds.query('com.atproto.server.checkAccountStatus');
    const { rev } = await this.#pds.query('com.atproto.sync.getLatestCommit', { did: this.did });
    const live = new Set(cidsIn([...this.#records.values()].map((record) => record.value)));
    const blobs = this.blobs.filter(({ cid }) => live.has(cid));
    const expected = { indexedRecords: this.#records.size, expectedBlobs: blobs.length, importedBlobs: blobs.length };
    for (const [name, count] of Object.entries(expected)) {
      if (status[name] !== count) throw new Error(`the host counts ${status[name]} ${name}, not ${count}`);
    }
    const collections = {};
    for (const { collection } of this.#records.values()) collections[collection] = (collections[collection] ?? 0) + 1;
    const { edited, deleted } = this;
    return { ...this.account, rev, records: this.#records.size, collections, blobs, edited, deleted };
  }

  async #queue(write, record) {
    this.#waiting.push({ write, record });
    this.#bytes += JSON.stringify(write).length;
    if (this.#waiting.length >= BATCH_WRITES || this.#bytes >= BATCH_BYTES) await this.flush();
  }
}

const WRITE = 'com.atproto.repo.applyWrites';

/** Every CID that a JSON value links to as a blob. */
function* cidsIn(value) {
  if (value === null || typeof value !== 'object') return;
  if (value.$type === 'blob') yield value.ref.$link;
  else for (const part of Object.values(value)) yield* cidsIn(part);
}
