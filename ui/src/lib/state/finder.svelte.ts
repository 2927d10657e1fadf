import { backend, problemOf } from '$lib/backend';
import type { Person, Problem, Whose } from '$lib/bindings';

/** Finding out who is behind a name, and beginning to keep their account. */
export class Finder {
  text = $state('');
  person = $state.raw<Person>();
  problem = $state.raw<Problem>();
  busy = $state(false);

  /** Asks who that is. */
  async find(): Promise<void> {
    await this.#during(async () => {
      this.person = await backend.lookUp(this.text.trim());
    });
  }

  /** Begins to keep the account that was found, in these folders; its DID, or undefined when that was refused. */
  async protect(whose: Whose, folders: string[]): Promise<string | undefined> {
    const did = this.person?.did;
    if (did === undefined) return undefined;
    await this.#during(() => backend.protect(did, whose, folders));
    return this.problem ? undefined : did;
  }

  /** Back to the question; what was typed stays. */
  reset(): void {
    this.person = undefined;
    this.problem = undefined;
  }

  async #during(work: () => Promise<unknown>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.problem = undefined;
    try {
      await work();
    } catch (thrown) {
      this.problem = problemOf(thrown);
    } finally {
      this.busy = false;
    }
  }
}
