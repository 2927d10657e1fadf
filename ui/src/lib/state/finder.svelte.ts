import { backend, problemOf } from '$lib/backend';
import type { Extent, Person, Place, Problem, Spot, Whose } from '$lib/bindings';

/** A folder that copies can go to, as it is offered: a spot, a place, or a folder that a person chose. */
export interface Offer {
  path: string;
  name: string;
  kind: Spot['kind'] | 'chosen';
  free: number | null;
  /** It is a place already: copies go there in any case. */
  known: boolean;
}

/** The questions, in order. */
export const STEPS = ['who', 'whose', 'where'] as const;
export type Step = (typeof STEPS)[number];

/** From a name to a kept account, one question after the other. Nothing is kept before `protect`. */
export class Finder {
  step = $state<Step>('who');
  text = $state('');
  person = $state.raw<Person>();
  whose = $state<Whose>('mine');
  offers = $state.raw<Offer[]>([]);
  /** Paths of the folders that are ticked, those of places apart. */
  chosen = $state.raw<string[]>([]);
  /** Whether it is asked if Skykeep shall start with the system: once, with the first account. */
  first = $state(false);
  starts = $state(true);
  problem = $state.raw<Problem>();
  busy = $state(false);
  /** How much there is to keep; it is asked for beside, and nothing waits for it. */
  #extents = $state.raw<Record<string, Extent | 'asking' | 'unknown'>>({});

  /** How much there is to keep of who was found: undefined while it is asked, null when nobody can say. */
  readonly extent = $derived.by<Extent | null | undefined>(() => {
    const found = this.#extents[this.person?.did ?? ''];
    return found === 'unknown' ? null : found === 'asking' ? undefined : found;
  });

  /** Whether copies would go anywhere. */
  readonly somewhere = $derived(this.chosen.length > 0 || this.offers.some(({ known }) => known));

  /** Asks who that is. */
  async find(): Promise<void> {
    await this.#during(async () => {
      const person = await backend.lookUp(this.text.trim());
      this.person = person;
      this.step = 'whose';
      if (!person.known) void this.#measure(person.did);
    });
  }

  /** On to where the copies go; `places` are where copies go already, `first` when no account is kept yet. */
  async ask(places: Place[], first = false): Promise<void> {
    this.first = first;
    await this.#during(async () => {
      const spots = await backend.spots();
      const known = places.map(({ path, name, free, removable }): Offer => {
        return { path, name, free, kind: removable ? 'drive' : 'this_computer', known: true };
      });
      const others = spots.filter(({ path }) => !known.some((place) => place.path === path));
      this.offers = [...known, ...others];
      // At the first account every spot is ticked: with a drive connected, that is two copies. Later the places are
      // there, and another one is a wish of its own.
      this.chosen = known.length > 0 ? [] : others.filter((spot) => !spot.known).map(({ path }) => path);
      this.step = 'where';
    });
  }

  /** Ticks a folder, or takes the tick away. */
  tick(path: string, on: boolean): void {
    const others = this.chosen.filter((other) => other !== path);
    this.chosen = on ? [...others, path] : others;
  }

  /** Asks for another folder and ticks it. */
  async chooseFolder(): Promise<void> {
    await this.#during(async () => {
      const path = await backend.chooseFolder();
      if (path === null) return;
      const offer: Offer = { path, name: nameOf(path), kind: 'chosen', free: null, known: false };
      if (!this.offers.some((other) => other.path === path)) this.offers = [...this.offers, offer];
      if (!this.offers.some((other) => other.path === path && other.known)) this.tick(path, true);
    });
  }

  /** Begins to keep the account that was found; its DID, or undefined when that was refused. */
  async protect(): Promise<string | undefined> {
    const did = this.person?.did;
    if (did === undefined) return undefined;
    const begun = await this.#during(() => backend.protect(did, this.whose, this.chosen));
    // Settings say what came of it; an account that is kept is not held up by a system that does not take it.
    if (begun && this.first && this.starts) await backend.setStartsWithSystem(true).catch(() => false);
    return begun ? did : undefined;
  }

  /** Back to the question before; what was typed and chosen stays. */
  back(): void {
    this.problem = undefined;
    this.step = STEPS[Math.max(0, STEPS.indexOf(this.step) - 1)] ?? 'who';
  }

  async #measure(did: string): Promise<void> {
    const note = (extent: Extent | 'asking' | 'unknown') => (this.#extents = { ...this.#extents, [did]: extent });
    note('asking');
    try {
      note(await backend.extent(did));
    } catch {
      // Whether the host answers is said by the person's status; how much there is, is only good to know.
      note('unknown');
    }
  }

  /** Whether the engine did it. */
  async #during(work: () => Promise<unknown>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.problem = undefined;
    try {
      await work();
      return true;
    } catch (thrown) {
      this.problem = problemOf(thrown);
      return false;
    } finally {
      this.busy = false;
    }
  }
}

/** The last part of a path, however the system divides it. */
function nameOf(path: string): string {
  return path.split(/[\\/]/).findLast((part) => part !== '') ?? path;
}
