import { backend, problemOf } from '$lib/backend';
import type { Check, Checking, Event, Place, PlaceTest, Problem, Spot } from '$lib/bindings';
import { without } from './keyed';
import { Topic } from './topic.svelte';

/** Where backups go, and what was found on looking there. */
export class Places {
  readonly topic = new Topic(() => backend.places());
  /** What the last check of each place found, by id. */
  checks = $state.raw<Record<string, Check>>({});
  /** How far the checks under way are, by the place's id: whoever asked for them. */
  progress = $state.raw<Record<string, Checking>>({});
  /** Ids of the places that this window asked to be checked. */
  #asked = $state.raw<string[]>([]);
  /** Ids of the places that are being checked. */
  readonly checking = $derived([
    ...this.#asked,
    ...Object.keys(this.progress).filter((id) => !this.#asked.includes(id)),
  ]);
  /** What the last test of each place found, by id. */
  tests = $state.raw<Record<string, PlaceTest>>({});
  /** Ids of the places that are being tested. */
  testing = $state.raw<string[]>([]);
  /** Ids of the places that no file manager would open. */
  unopened = $state.raw<string[]>([]);
  /** Why the engine refused the last intention. */
  refused = $state.raw<Problem>();

  /** Where backups could go as well. */
  readonly spots = new Topic(() => backend.spots());
  #spotsWanted = false;

  readonly all = $derived<Place[]>(this.topic.value ?? []);
  /** Drives that are connected and are no places yet. */
  readonly drives = $derived<Spot[]>((this.spots.value ?? []).filter((spot) => spot.kind === 'drive' && !spot.known));

  async hear(event: Event): Promise<void> {
    if (event.topic === 'check') {
      this.progress = event.progress
        ? { ...this.progress, [event.place]: event.progress }
        : without(this.progress, event.place);
      return;
    }
    if (event.topic !== 'places' && !(event.topic === 'run' && !event.progress)) return;
    await this.topic.load();
    if (event.topic === 'places' && this.#spotsWanted) await this.spots.load();
  }

  /** Looks for drives, now and whenever places change. */
  async loadSpots(): Promise<void> {
    this.#spotsWanted = true;
    await this.spots.load();
  }

  async open(id: string): Promise<void> {
    this.unopened = this.unopened.filter((other) => other !== id);
    await this.#tell(async () => {
      if (!(await backend.openPlace(id))) this.unopened = [...this.unopened, id];
    });
  }

  /** Hashes every file of a place again; it may take as long as reading all of it. */
  async check(id: string): Promise<void> {
    this.#asked = [...this.#asked, id];
    this.checks = without(this.checks, id);
    await this.#tell(async () => {
      const found = await backend.check(id);
      this.checks = { ...this.checks, ...Object.fromEntries(found.map((check) => [check.place, check])) };
    });
    this.#asked = this.#asked.filter((other) => other !== id);
  }

  /** Finds out whether backups can go to a place, and what exactly is wrong when they cannot. */
  async test(id: string): Promise<void> {
    this.testing = [...this.testing, id];
    this.tests = without(this.tests, id);
    await this.#tell(async () => {
      this.tests = { ...this.tests, [id]: await backend.testPlace(id) };
    });
    this.testing = this.testing.filter((other) => other !== id);
  }

  /** Asks for a folder and makes it a place. */
  async choose(): Promise<void> {
    await this.#tell(async () => {
      const path = await backend.chooseFolder();
      if (path !== null) await backend.addFolder(path);
      if (this.#spotsWanted) await this.spots.load();
    });
  }

  /** Hashes every file of every place again. */
  async checkAll(): Promise<void> {
    await Promise.all(this.all.filter(({ state }) => state === 'ready').map(({ id }) => this.check(id)));
  }

  /** Makes a folder a place. */
  async add(path: string): Promise<void> {
    await this.#tell(async () => {
      await backend.addFolder(path);
      if (this.#spotsWanted) await this.spots.load();
    });
  }

  /** Lets backups go to a place no more; what it holds is read as ever. */
  async retire(id: string): Promise<void> {
    await this.#tell(async () => {
      await backend.retirePlace(id);
    });
  }

  /** Lets backups go to a place again, or calls its move off. */
  async resume(id: string): Promise<void> {
    await this.#tell(async () => {
      await backend.resumePlace(id);
    });
  }

  /** Lets another place stand in for one, once it has all that this one holds. */
  async move(id: string, to: string): Promise<void> {
    await this.#tell(async () => {
      await backend.movePlace(id, to);
    });
  }

  /** Forgets a place; what it holds stays. */
  async remove(id: string): Promise<void> {
    await this.#tell(async () => {
      await backend.removePlace(id);
      if (this.#spotsWanted) await this.spots.load();
    });
  }

  async #tell(intention: () => Promise<void>): Promise<void> {
    this.refused = undefined;
    try {
      await intention();
    } catch (thrown) {
      this.refused = problemOf(thrown);
    }
    await this.topic.load();
  }
}
