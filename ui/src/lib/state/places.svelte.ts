import { backend, problemOf } from '$lib/backend';
import type { Check, Event, Place, Problem } from '$lib/bindings';
import { without } from './keyed';
import { Topic } from './topic.svelte';

/** Where backups go, and what was found on looking there. */
export class Places {
  readonly topic = new Topic(() => backend.places());
  /** What the last check of each place found, by id. */
  checks = $state.raw<Record<string, Check>>({});
  /** Ids of the places that are being checked. */
  checking = $state.raw<string[]>([]);
  /** Ids of the places that no file manager would open. */
  unopened = $state.raw<string[]>([]);
  /** Why the engine refused the last intention. */
  refused = $state.raw<Problem>();

  readonly all = $derived<Place[]>(this.topic.value ?? []);

  async hear(event: Event): Promise<void> {
    if (event.topic === 'places' || (event.topic === 'run' && !event.progress)) await this.topic.load();
  }

  async open(id: string): Promise<void> {
    this.unopened = this.unopened.filter((other) => other !== id);
    await this.#tell(async () => {
      if (!(await backend.openPlace(id))) this.unopened = [...this.unopened, id];
    });
  }

  /** Hashes every file of a place again; it may take as long as reading all of it. */
  async check(id: string): Promise<void> {
    this.checking = [...this.checking, id];
    this.checks = without(this.checks, id);
    await this.#tell(async () => {
      const found = await backend.check(id);
      this.checks = { ...this.checks, ...Object.fromEntries(found.map((check) => [check.place, check])) };
    });
    this.checking = this.checking.filter((other) => other !== id);
  }

  /** Asks for a folder and makes it a place. */
  async choose(): Promise<void> {
    await this.#tell(async () => {
      const path = await backend.chooseFolder();
      if (path !== null) await backend.addFolder(path);
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
