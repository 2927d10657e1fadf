// The directory's memory: operations in memory, and every accepted one in a file that is synced before the answer.
//
// A line of the file is an accepted operation {did, cid, operation, createdAt, nullifies} or a shift {did, backdated}.
// Replaying the lines gives the same directory again: creation times, nullified operations and shifts included.
import * as plc from '@did-plc/lib';
import fs from 'node:fs';
import path from 'node:path';
import { lowS, refuse, withinRate } from './constraints.mjs';

const HOUR = 3_600_000;

/** The database that the published PLC server asks for; see `PlcDatabase` in @did-plc/server. */
export class Directory {
  #file;
  /** did -> [{did, operation, cid, nullified, createdAt}], oldest first */
  #entries = new Map();
  /** did -> the last change under way: two operations of a DID are never judged against the same state */
  #turns = new Map();

  /** Replays the file. A last line without its end was never answered for, and is cut off. */
  static async open(file) {
    const directory = new Directory();
    fs.mkdirSync(path.dirname(file), { recursive: true });
    directory.#file = fs.openSync(file, 'a+');
    const text = fs.readFileSync(file, 'utf8');
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    if (whole.length < text.length) fs.ftruncateSync(directory.#file, Buffer.byteLength(whole));
    for (const line of whole.split('\n').slice(0, -1)) await directory.#replay(JSON.parse(line));
    return directory;
  }

  async close() {
    fs.closeSync(this.#file);
  }

  async healthCheck() {}

  /** Judges an operation by the protocol's rules and the directory's limits, and keeps it. */
  validateAndAddOp(did, operation) {
    return this.#inTurn(did, async () => {
      const valid = await this.indexedOpsForDid(did);
      const { nullified } = await plc.assureValidNextOp(did, valid, operation);
      await lowS(operation, valid);
      // Recovery is exempt, so that a thief cannot use up the rate.
      if (nullified.length === 0) withinRate(valid);
      const latest = this.#entries.get(did)?.at(-1)?.createdAt.getTime() ?? 0;
      const createdAt = new Date(Math.max(Date.now(), latest + 1));
      const { cid } = await plc.getLastOpWithCid([operation]);
      const nullifies = nullified.map(String);
      this.#append({ did, cid: String(cid), operation, createdAt: createdAt.toISOString(), nullifies });
      this.#add({ did, operation, cid, createdAt, nullifies });
    });
  }

  /** Moves all of a DID's operations `hours` into the past, for good. Returns how many there are. */
  backdate(did, hours) {
    if (!this.#entries.has(did)) refuse(404, `DID not registered: ${did}`);
    if (!(Number.isFinite(hours) && hours > 0)) refuse(400, `hours must be a number above 0, not ${hours}`);
    return this.#inTurn(did, async () => {
      this.#append({ did, backdated: hours });
      return this.#shift(did, hours);
    });
  }

  /** The DID's present state. Errors: 404 when it is unknown or tombstoned. */
  async data(did) {
    const log = await this.opsForDid(did);
    if (log.length === 0) refuse(404, `DID not registered: ${did}`);
    return (await plc.validateOperationLog(did, log)) ?? refuse(404, `DID not available: ${did}`);
  }

  async opsForDid(did) {
    return (await this.indexedOpsForDid(did)).map((entry) => entry.operation);
  }

  async indexedOpsForDid(did, includeNullified = false) {
    return (this.#entries.get(did) ?? []).filter((entry) => includeNullified || !entry.nullified);
  }

  async lastOpForDid(did) {
    return (await this.opsForDid(did)).at(-1) ?? null;
  }

  async exportOps(count, after) {
    return [...this.#entries.values()]
      .flat()
      .filter((entry) => !after || entry.createdAt > after)
      .sort((one, other) => one.createdAt - other.createdAt)
      .slice(0, count)
      .map((entry) => ({ ...entry, cid: String(entry.cid), createdAt: entry.createdAt.toISOString() }));
  }

  #append(line) {
    fs.writeSync(this.#file, `${JSON.stringify(line)}\n`);
    fs.fsyncSync(this.#file);
  }

  #add({ did, operation, cid, createdAt, nullifies }) {
    const entries = this.#entries.get(did) ?? [];
    for (const entry of entries) if (nullifies.includes(String(entry.cid))) entry.nullified = true;
    this.#entries.set(did, [...entries, { did, operation, cid, nullified: false, createdAt }]);
  }

  #shift(did, hours) {
    const entries = this.#entries.get(did);
    for (const entry of entries) entry.createdAt = new Date(entry.createdAt.getTime() - hours * HOUR);
    return entries.length;
  }

  async #replay(line) {
    if (line.backdated !== undefined) return void this.#shift(line.did, line.backdated);
    const { cid } = await plc.getLastOpWithCid([line.operation]);
    if (String(cid) !== line.cid) throw new Error(`the directory's file was changed: ${line.cid} is now ${cid}`);
    this.#add({ ...line, cid, createdAt: new Date(line.createdAt) });
  }

  #inTurn(did, action) {
    const turn = (this.#turns.get(did) ?? Promise.resolve()).then(action);
    this.#turns.set(
      did,
      turn.catch(() => {}),
    );
    return turn;
  }
}
