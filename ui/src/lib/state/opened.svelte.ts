import { backend, problemOf } from '$lib/backend';
import type { Account, ImportedSnapshot, Opened as Found, Problem } from '$lib/bindings';
import { Bucket } from './bucket.svelte';
import { inside } from './portable.svelte';

/** A folder, a file or a bucket that a person opened: what is in it, and what was done with it. Looking changes nothing. */
export class Opened {
  found = $state.raw<Found>();
  /** The accounts of the place that was taken over. */
  taken = $state.raw<Account[]>();
  /** What was imported, by DID. */
  imported = $state.raw<Record<string, ImportedSnapshot[]>>({});
  problem = $state.raw<Problem>();
  /** What is typed about the bucket that is opened, and its keys for what comes then. */
  bucket = $state.raw<Bucket>();
  /** What is under way; for an import, whose. */
  busy = $state.raw<'looking' | 'taking' | { did: string }>();

  chooseFolder(): Promise<void> {
    return this.#open(() => backend.chooseFolder());
  }

  chooseFile(kind: string): Promise<void> {
    return this.#open(() => backend.chooseFile(kind, ['car']));
  }

  /** Asks which bucket it is. */
  askForBucket(): void {
    this.close();
    this.bucket = new Bucket();
  }

  /** Looks into the bucket as it is, or as it was at a time. */
  async lookIntoBucket(asOf: number | null = null): Promise<void> {
    const { bucket } = this;
    if (!bucket) return;
    await this.#during('looking', async () => {
      this.found = await backend.lookIntoBucket(bucket.address, bucket.keys, asOf);
    });
  }

  /** Copies what the bucket held then into a new folder inside the one that is chosen, and takes that over. */
  async bringBack(name: string): Promise<void> {
    const [asOf, bucket] = [this.found?.as_of ?? null, this.bucket];
    if (asOf === null || !bucket) return;
    await this.#during('taking', async () => {
      const folder = await backend.chooseFolder();
      if (folder === null) return;
      this.taken = await backend.takeOverPast(bucket.address, bucket.keys, asOf, inside(folder, name));
      bucket.forget();
    });
  }

  /** Makes the place that was opened one of this computer's: its accounts are kept from now on. */
  async takeOver(): Promise<void> {
    const [path, bucket] = [this.found?.path, this.bucket];
    if (path === undefined) return;
    await this.#during('taking', async () => {
      this.taken = await (bucket ? backend.takeOverBucket(bucket.address, bucket.keys) : backend.takeOver(path));
      bucket?.forget();
    });
  }

  /** Imports one account's backup. Where no place is set up yet, the usual folder becomes one first. */
  async import(did: string, places: number): Promise<void> {
    const path = this.found?.path;
    if (path === undefined) return;
    await this.#during({ did }, async () => {
      if (places === 0) {
        const [usual] = await backend.spots();
        if (usual) await backend.addFolder(usual.path);
      }
      this.imported = { ...this.imported, [did]: await backend.import(did, [path]) };
    });
  }

  /** Back to the question what to open. */
  close(): void {
    this.found = undefined;
    this.taken = undefined;
    this.imported = {};
    this.problem = undefined;
    this.bucket = undefined;
  }

  async #open(choose: () => Promise<string | null>): Promise<void> {
    await this.#during('looking', async () => {
      const path = await choose();
      if (path === null) return;
      this.close();
      this.found = await backend.lookInto(path);
    });
  }

  async #during(what: NonNullable<Opened['busy']>, work: () => Promise<unknown>): Promise<void> {
    if (this.busy) return;
    this.busy = what;
    this.problem = undefined;
    try {
      await work();
    } catch (thrown) {
      this.problem = problemOf(thrown);
    } finally {
      this.busy = undefined;
    }
  }
}
