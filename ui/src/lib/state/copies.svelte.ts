import { backend, problemOf } from '$lib/backend';
import type { Exported, Problem } from '$lib/bindings';
import { without } from './keyed';

/** Portable copies that are being made or were made from this page, by DID. */
export class Copies {
  made = $state.raw<Record<string, Exported>>({});
  refused = $state.raw<Record<string, Problem>>({});
  /** Whose copy is being written. */
  busy = $state<string>();

  /** Asks for a folder and writes the newest snapshot into it, or the one that is named. */
  async make(did: string, snapshot: string | null = null): Promise<void> {
    if (this.busy !== undefined) return;
    this.busy = did;
    this.refused = without(this.refused, did);
    try {
      const folder = await backend.chooseFolder();
      if (folder !== null) this.made = { ...this.made, [did]: await backend.export(did, snapshot, folder) };
    } catch (thrown) {
      this.refused = { ...this.refused, [did]: problemOf(thrown) };
    } finally {
      this.busy = undefined;
    }
  }
}
