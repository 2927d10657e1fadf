import { SvelteMap } from 'svelte/reactivity';
import { backend } from '$lib/backend';
import type { Event, Snapshot } from '$lib/bindings';
import { Topic } from './topic.svelte';

/** What is kept of each account that was looked at, newest first. */
export class Snapshots {
  readonly #topics = new SvelteMap<string, Topic<Snapshot[]>>();

  of(did: string): Topic<Snapshot[]> | undefined {
    return this.#topics.get(did);
  }

  async load(did: string): Promise<void> {
    const topic = this.#topics.get(did) ?? new Topic(() => backend.snapshots(did));
    this.#topics.set(did, topic);
    await topic.load();
  }

  async hear(event: Event): Promise<void> {
    if (event.topic === 'accounts') {
      await Promise.all([...this.#topics.values()].map((topic) => topic.load()));
    } else if (event.topic === 'run' && !event.progress) {
      await this.#topics.get(event.did)?.load();
    }
  }
}
