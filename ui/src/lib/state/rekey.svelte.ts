import { backend, problemOf } from '$lib/backend';
import type { Problem } from '$lib/bindings';

/** New keys for a place in a bucket: what is typed, and what came of it. The old ones stay until these were tried. */
export class Rekey {
  /** The id of the place that they are for; none when nobody is asked. */
  place = $state.raw<string>();
  access = $state('');
  secret = $state('');
  problem = $state.raw<Problem>();
  busy = $state.raw(false);
  /** Somebody went on although something was missing: now it is said. */
  asked = $state(false);

  readonly missing = $derived((['access', 'secret'] as const).filter((part) => this[part].trim() === ''));

  /** Asks for the keys to a place. */
  ask(place: string): void {
    this.close();
    this.place = place;
  }

  /** Forgets what was typed. What is being tried goes on. */
  close(): void {
    this.place = undefined;
    this.access = '';
    this.secret = '';
    this.changed();
    this.asked = false;
  }

  /** What was found out is not about what is typed now. */
  changed(): void {
    this.problem = undefined;
  }

  /** Has the keys tried and used. Answers the place that has them now; none when something is missing or refused. */
  async change(): Promise<string | undefined> {
    const { place } = this;
    this.asked = this.missing.length > 0;
    if (this.busy || this.asked || place === undefined) return undefined;
    this.busy = true;
    this.changed();
    try {
      await backend.changeKeys(place, { access: this.access.trim(), secret: this.secret.trim() });
      if (this.place === place) this.close();
      return place;
    } catch (thrown) {
      // Nobody who closed the question wants to know.
      if (this.place === place) this.problem = problemOf(thrown);
      return undefined;
    } finally {
      this.busy = false;
    }
  }
}
