// Randomness that a seed decides: the same seed gives the same account on every machine.
import crypto from 'node:crypto';

/** A stream of made-up choices; AES in counter mode, keyed by the seed. */
export class Random {
  #stream;
  #pool = Buffer.alloc(0);
  #at = 0;

  constructor(seed) {
    this.seed = String(seed);
    const key = crypto.createHash('sha256').update(this.seed).digest();
    this.#stream = crypto.createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  }

  /** An independent stream, for a part that must not shift the others. */
  fork(name) {
    return new Random(`${this.seed}/${name}`);
  }

  bytes(length) {
    return this.#stream.update(Buffer.alloc(length));
  }

  /** A whole number from 0 to below `limit`. */
  below(limit) {
    if (this.#at === this.#pool.length) {
      this.#pool = this.bytes(4096);
      this.#at = 0;
    }
    this.#at += 4;
    return Math.floor((this.#pool.readUInt32LE(this.#at - 4) / 2 ** 32) * limit);
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  chance(percent) {
    return this.below(100) < percent;
  }

  shuffle(list) {
    for (let n = list.length - 1; n > 0; n--) {
      const other = this.below(n + 1);
      [list[n], list[other]] = [list[other], list[n]];
    }
    return list;
  }
}
