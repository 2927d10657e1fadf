import { dayBefore, isDay, isTime, momentOf } from './day';

/** A day and a time of day, as they are typed; at first yesterday at noon. */
export class Then {
  day = $state('');
  time = $state('12:00');
  /** Somebody went on: what is wrong is said from now on. */
  asked = $state(false);

  readonly dayIsGood = $derived(isDay(this.day.trim()));
  readonly timeIsGood = $derived(isTime(this.time.trim()));

  constructor(now: number) {
    this.day = dayBefore(now);
  }

  /** When that is on the clock of this computer, in milliseconds since 1970; undefined when it is no time. */
  moment(): number | undefined {
    this.asked = true;
    if (!this.dayIsGood || !this.timeIsGood) return undefined;
    return momentOf(this.day.trim(), this.time.trim());
  }
}
