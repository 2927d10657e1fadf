import { createContext } from 'svelte';
import { backend } from '$lib/backend';
import { Accounts } from './accounts.svelte';
import { Clock } from './clock.svelte';
import { History } from './history.svelte';
import { followSystem } from './look';
import { Places } from './places.svelte';
import { Preferences } from './preferences.svelte';
import { Rekey } from './rekey.svelte';
import { Route } from './route.svelte';
import { Snapshots } from './snapshots.svelte';

/** Everything the pages show, topic by topic. */
export class App {
  readonly clock = new Clock();
  readonly route = new Route();
  readonly accounts = new Accounts();
  readonly places = new Places();
  readonly rekey = new Rekey();
  readonly snapshots = new Snapshots();
  readonly history = new History();
  readonly preferences = new Preferences();

  /** Listens first and asks then, so that nothing is missed in between. Returns what stops it. */
  async start(): Promise<() => void> {
    const stops = [this.clock.start(), this.route.start(), followSystem()];
    stops.push(
      await backend.listen((event) => {
        void this.accounts.hear(event);
        void this.places.hear(event);
        void this.snapshots.hear(event);
        void this.history.hear(event);
        // Problems come in words, and those may be of another language now.
        if (event.topic === 'preferences') void this.load();
      }),
    );
    await this.load();
    return () => stops.forEach((stop) => stop());
  }

  /** Asks for everything that is always on screen. */
  async load(): Promise<void> {
    await Promise.all([this.accounts.load(), this.places.topic.load(), this.preferences.load()]);
  }
}

/** The app, for every component below the one that set it. */
export const [getApp, setApp] = createContext<App>();
