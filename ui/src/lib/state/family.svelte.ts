import { backend, problemOf } from '$lib/backend';
import type { Family, Member, Problem, TakenAlong } from '$lib/bindings';
import { without } from './keyed';

/** Who shares one place, and what is done about it. */
export class FamilyOf {
  value = $state.raw<Family>();
  /** Why it is not known, or no newer than it is. */
  problem = $state.raw<Problem>();
  busy = $state(false);
  /** What was taken along, by folder. */
  taken = $state.raw<Record<string, TakenAlong>>({});
  /** The folder that is being taken along. */
  taking = $state<string>();
  /** Why the engine refused the last intention. */
  refused = $state.raw<Problem>();
  readonly #place: string;

  constructor(place: string) {
    this.#place = place;
  }

  /** Asks the place; `anew` measures what everyone uses again. */
  async load(anew = false): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      this.value = await backend.family(this.#place, anew);
      this.problem = undefined;
    } catch (thrown) {
      this.problem = problemOf(thrown);
    } finally {
      this.busy = false;
    }
  }

  /** Copies somebody's folder to one that the person chooses. */
  async take({ folder }: Member): Promise<void> {
    this.taken = without(this.taken, folder);
    await this.#tell(async () => {
      const to = await backend.chooseFolder();
      if (to === null) return;
      this.taking = folder;
      this.taken = { ...this.taken, [folder]: await backend.takeAlong(folder, this.#place, to) };
    });
    this.taking = undefined;
  }

  /** Leaves with an account; false when no other place holds all of it, and the person was not sure. */
  async leave(did: string, sure: boolean): Promise<boolean> {
    await this.#tell(() => backend.leavePlace(did, this.#place, sure));
    if (this.refused?.code !== 'only_there') return true;
    this.refused = undefined;
    return false;
  }

  async comeBack(did: string): Promise<void> {
    await this.#tell(() => backend.returnToPlace(did, this.#place));
  }

  /** What each may use before that is said; the same part for everyone when it is null. */
  async share(gigabytes: number | null): Promise<void> {
    await this.#tell(() => backend.setShare(this.#place, gigabytes));
  }

  async #tell(intention: () => Promise<unknown>): Promise<void> {
    this.refused = undefined;
    try {
      await intention();
      await this.load();
    } catch (thrown) {
      this.refused = problemOf(thrown);
    }
  }
}
