import { backend, problemOf } from '$lib/backend';
import type { Preferences as Chosen, Problem } from '$lib/bindings';
import { without } from './keyed';
import { remember, show } from './look';
import { Topic } from './topic.svelte';

/** What a person has chosen. Each choice is saved at once; one that is refused leaves what was, and says why. */
export class Preferences {
  readonly topic = new Topic(() => backend.preferences());
  /** Choices on their way to the engine. */
  #pending = $state.raw<Partial<Chosen>>({});
  /** Why the engine refused the last choice of each name. */
  refused = $state.raw<Partial<Record<keyof Chosen, Problem>>>({});
  /** One choice is saved after the other, since all of them are written as a whole. */
  #saving: Promise<void> = Promise.resolve();

  /** As saved, with the choices that are on their way; undefined before the first answer. */
  readonly all = $derived(this.topic.value && { ...this.topic.value, ...this.#pending });

  async load(): Promise<void> {
    await this.topic.load();
    if (!this.topic.value) return;
    remember(this.topic.value);
    await show(this.topic.value);
  }

  /** Saves one choice. */
  choose<Name extends keyof Chosen>(name: Name, value: Chosen[Name]): Promise<void> {
    this.#pending = { ...this.#pending, [name]: value };
    this.refused = without(this.refused, name);
    this.#saving = this.#saving.then(() => this.#save(name, value));
    return this.#saving;
  }

  async #save<Name extends keyof Chosen>(name: Name, value: Chosen[Name]): Promise<void> {
    try {
      if (!this.topic.value) await this.topic.load();
      if (this.topic.value) await backend.setPreferences({ ...this.topic.value, [name]: value });
      await this.load();
    } catch (thrown) {
      this.refused = { ...this.refused, [name]: problemOf(thrown) };
    }
    // A newer choice of the same name is still on its way.
    if (this.#pending[name] === value) {
      this.#pending = without(this.#pending, name);
    }
  }
}
