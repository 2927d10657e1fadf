import { backend, problemOf } from '$lib/backend';
import type { Event, Preferences as Chosen, Problem } from '$lib/bindings';
import { Topic } from './topic.svelte';

/** What the person has chosen. It is read and written as a whole. */
export class Preferences {
  readonly topic = new Topic(() => backend.preferences());
  /** Why the engine did not take the last choice. */
  refused = $state.raw<Problem>();

  readonly value = $derived<Chosen | undefined>(this.topic.value);

  async hear(event: Event): Promise<void> {
    if (event.topic === 'preferences') await this.topic.load();
  }

  /** Takes a choice; the others stay. What the engine refuses is not shown as chosen. */
  async choose(choice: Partial<Chosen>): Promise<void> {
    const before = this.value;
    if (!before) return;
    this.refused = undefined;
    try {
      await backend.setPreferences({ ...before, ...choice });
    } catch (thrown) {
      this.refused = problemOf(thrown);
    }
    await this.topic.load();
  }
}
