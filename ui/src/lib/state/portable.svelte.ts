import { backend, problemOf } from '$lib/backend';
import type { Exported, Problem } from '$lib/bindings';

/** Making a portable copy: where to, then what was written. */
export class Portable {
  busy = $state(false);
  done = $state.raw<Exported>();
  problem = $state.raw<Problem>();

  /** Asks for a folder and writes a copy into a new folder of this name inside it. The newest when `snapshot` is null. */
  async make(did: string, snapshot: string | null, name: string): Promise<void> {
    if (this.busy) return;
    this.done = this.problem = undefined;
    try {
      const folder = await backend.chooseFolder();
      if (folder === null) return;
      this.busy = true;
      this.done = await backend.export(did, snapshot, inside(folder, name));
    } catch (thrown) {
      this.problem = problemOf(thrown);
    } finally {
      this.busy = false;
    }
  }
}

/** A folder's new inner folder, in the folder's own way of writing. */
export function inside(folder: string, name: string): string {
  const separator = folder.includes('\\') && !folder.includes('/') ? '\\' : '/';
  const plain = name.replace(/[^\p{L}\p{N}. _-]/gu, '-');
  return folder.endsWith(separator) ? folder + plain : folder + separator + plain;
}
