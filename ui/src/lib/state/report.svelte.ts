import { backend, problemOf } from '$lib/backend';
import type { Problem } from '$lib/bindings';

/** A report for somebody who helps: read first, then copied or saved, exactly as it was read. */
export class Report {
  text = $state<string>();
  /** What was done with it last. */
  done = $state<'copied' | 'not_copied' | 'saved'>();
  problem = $state.raw<Problem>();
  busy = $state(false);

  async make(): Promise<void> {
    await this.#during(async () => (this.text = await backend.report()));
  }

  async copy(): Promise<void> {
    const { text } = this;
    if (text === undefined) return;
    await this.#during(async () => {
      try {
        await navigator.clipboard.writeText(text);
        this.done = 'copied';
      } catch {
        // A system may keep its clipboard to itself; the text can still be selected.
        this.done = 'not_copied';
      }
    });
  }

  async save(): Promise<void> {
    const { text } = this;
    if (text === undefined) return;
    await this.#during(async () => {
      const path = await backend.chooseTarget('skykeep-report.txt');
      if (path === null) return;
      await backend.saveReport(path, text);
      this.done = 'saved';
    });
  }

  async #during(work: () => Promise<unknown>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.problem = undefined;
    this.done = undefined;
    try {
      await work();
    } catch (thrown) {
      this.problem = problemOf(thrown);
    } finally {
      this.busy = false;
    }
  }
}
