import { backend, problemOf } from '$lib/backend';
import type { Account, Event, Problem, Progress } from '$lib/bindings';
import { only, without } from './keyed';
import { Topic } from './topic.svelte';

/** The accounts that are kept, and what is going on with them. */
export class Accounts {
  readonly topic = new Topic(() => backend.accounts());
  /** Progress between two answers, by DID: an event carries it, so that a bar does not cost a question. */
  #progress = $state.raw<Record<string, Progress>>({});
  /** Why the engine refused the last intention, by DID. */
  #refused = $state.raw<Record<string, Problem>>({});
  /** Runs that were told to stop and have not ended, by DID. */
  #stopping = $state.raw<Record<string, boolean>>({});

  /** All of them, each with its newest progress; undefined before the first answer. */
  readonly all = $derived(this.topic.value?.map((account) => this.#withProgress(account)));

  find(did: string): Account | undefined {
    return this.all?.find((account) => account.did === did);
  }

  refused(did: string): Problem | undefined {
    return this.#refused[did];
  }

  stopping(did: string): boolean {
    return this.#stopping[did] ?? false;
  }

  async hear(event: Event): Promise<void> {
    if (event.topic === 'run' && event.progress) {
      this.#progress = { ...this.#progress, [event.progress.did]: event.progress };
    } else if (event.topic === 'run' || event.topic === 'accounts') {
      await this.load();
    }
  }

  async load(): Promise<void> {
    await this.topic.load();
    const running = (this.topic.value ?? []).filter((account) => account.run).map((account) => account.did);
    // The answer knows every run; progress of one that has ended meanwhile is forgotten with its end.
    this.#progress = only(this.#progress, running);
    this.#stopping = only(this.#stopping, running);
  }

  backUp(did: string): Promise<void> {
    return this.#tell(did, () => backend.backUp(did));
  }

  /** Starts a run of each account that has none. */
  async backUpAll(): Promise<void> {
    const idle = (this.all ?? []).filter((account) => !account.run);
    await Promise.all(idle.map(({ did }) => this.#tell(did, () => backend.backUp(did), false)));
    await this.load();
  }

  /** Until a time, or until somebody says go on. */
  pause(did: string, until: number | null): Promise<void> {
    return this.#tell(did, () => backend.pause(did, until));
  }

  resume(did: string): Promise<void> {
    return this.#tell(did, () => backend.resume(did));
  }

  /** What is kept of it stays where it is. True when the engine did so. */
  async stopProtecting(did: string): Promise<boolean> {
    await this.#tell(did, () => backend.stopProtecting(did));
    return this.refused(did) === undefined;
  }

  async stop(did: string): Promise<void> {
    this.#stopping = { ...this.#stopping, [did]: true };
    await this.#tell(did, () => backend.stopRun(did));
  }

  confirmShrink(did: string): Promise<void> {
    return this.#tell(did, () => backend.confirmShrink(did));
  }

  async #tell(did: string, intention: () => Promise<unknown>, look = true): Promise<void> {
    this.#refused = without(this.#refused, did);
    try {
      await intention();
      if (look) await this.load();
    } catch (thrown) {
      this.#refused = { ...this.#refused, [did]: problemOf(thrown) };
    }
  }

  #withProgress(account: Account): Account {
    return { ...account, run: this.#progress[account.did] ?? account.run };
  }
}
