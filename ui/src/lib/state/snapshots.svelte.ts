import { untrack } from 'svelte';
import { SvelteMap } from 'svelte/reactivity';
import { backend } from '$lib/backend';
import type { Changes, Event, Snapshot } from '$lib/bindings';
import { Topic } from './topic.svelte';

/** What is kept of each account that was looked at, newest first. */
export class Snapshots {
  readonly #topics = new SvelteMap<string, Topic<Snapshot[]>>();
  readonly #changes = new SvelteMap<string, Topic<Changes>>();

  of(did: string): Topic<Snapshot[]> | undefined {
    return this.#topics.get(did);
  }

  async load(did: string): Promise<void> {
    const topic = untrack(() => this.#topics.get(did)) ?? new Topic(() => backend.snapshots(did));
    this.#topics.set(did, topic);
    await topic.load();
  }

  /** What a snapshot changed beside the one before it. */
  changes(did: string, snapshot: string): Topic<Changes> | undefined {
    return this.#changes.get(`${did} ${snapshot}`);
  }

  /** Asks once: a snapshot never changes. What failed is asked again. */
  async loadChanges(did: string, snapshot: string): Promise<void> {
    const key = `${did} ${snapshot}`;
    const topic = untrack(() => this.#changes.get(key)) ?? new Topic(() => backend.changes(did, snapshot));
    this.#changes.set(key, topic);
    if (!untrack(() => topic.value)) await topic.load();
  }

  async hear(event: Event): Promise<void> {
    if (event.topic === 'accounts') {
      await Promise.all([...this.#topics.values()].map((topic) => topic.load()));
    } else if (event.topic === 'run' && !event.progress) {
      await this.#topics.get(event.did)?.load();
    }
  }
}
