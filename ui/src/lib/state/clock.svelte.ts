/** The time that it is, for sentences like "12 minutes ago", which must stay true while nobody touches the window. */
export class Clock {
  now = $state(Date.now());

  /** Ticks until the returned function is called. */
  start(): () => void {
    const timer = setInterval(() => (this.now = Date.now()), 10_000);
    return () => clearInterval(timer);
  }
}
