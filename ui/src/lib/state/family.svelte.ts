import { backend, problemOf } from '$lib/backend';
import type { Family, Problem } from '$lib/bindings';

/** Who shares one place. */
export class FamilyOf {
  value = $state.raw<Family>();
  /** Why it is not known, or no newer than it is. */
  problem = $state.raw<Problem>();
  busy = $state(false);
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
}
