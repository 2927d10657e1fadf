import type { Problem } from '$lib/bindings';
import { problemOf } from '$lib/backend';

/**
 * What the engine says of one topic. It is asked for again as a whole whenever it changed; the window never mends its
 * own copy. Changes that come while an answer is under way lead to exactly one more question.
 */
export class Topic<T> {
  /** The latest answer; undefined before the first. */
  value = $state.raw<T>();
  /** Why there is no newer answer. */
  problem = $state.raw<Problem>();
  /** Whether an answer is awaited. */
  busy = $state(false);

  readonly #question: () => Promise<T>;
  #asking: Promise<void> | undefined;
  #wanted = 0;

  constructor(question: () => Promise<T>) {
    this.#question = question;
  }

  /** Asks; resolves once an answer is there that is not older than this call. */
  load(): Promise<void> {
    this.#wanted += 1;
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #ask(): Promise<void> {
    this.busy = true;
    let answered: number;
    do {
      answered = this.#wanted;
      try {
        this.value = await this.#question();
        this.problem = undefined;
      } catch (thrown) {
        this.problem = problemOf(thrown);
      }
    } while (answered < this.#wanted);
    this.busy = false;
  }
}
