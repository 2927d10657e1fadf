import { untrack } from 'svelte';
import { SvelteMap } from 'svelte/reactivity';
import { backend } from '$lib/backend';
import type { Cell, Event, Run } from '$lib/bindings';
import { dayStarts, GROWTH_DAYS, hourStarts } from '$lib/text/calendar';
import { Topic } from './topic.svelte';

/** The calendar of one account or of all: where each cell begins, and what happened in it. */
export interface Calendar {
  days: number[];
  dayCells: Cell[];
  hours: number[];
  hourCells: Cell[];
}

const RUNS = 60;

/** What happened over time, of the accounts that were looked at, and of all. */
export class History {
  readonly storage = new Topic(() => backend.storage(dayStarts(Date.now(), GROWTH_DAYS)));
  readonly #calendars = new SvelteMap<string | null, Topic<Calendar>>();
  readonly #runs = new SvelteMap<string | null, Topic<Run[]>>();
  #storageWanted = false;

  /** Of one account, or of all when `did` is null; undefined before it was asked for. */
  calendar(did: string | null): Calendar | undefined {
    return this.#calendars.get(did)?.value;
  }

  /** Newest first. */
  runs(did: string | null): Run[] | undefined {
    return this.#runs.get(did)?.value;
  }

  async load(did: string | null): Promise<void> {
    // Asking for something must not be asked for again by what came of it.
    const calendar = untrack(() => this.#calendars.get(did)) ?? new Topic(() => ask(did));
    const runs = untrack(() => this.#runs.get(did)) ?? new Topic(() => backend.runs(did, RUNS));
    this.#calendars.set(did, calendar);
    this.#runs.set(did, runs);
    await Promise.all([calendar.load(), runs.load()]);
  }

  async loadStorage(): Promise<void> {
    this.#storageWanted = true;
    await this.storage.load();
  }

  async hear(event: Event): Promise<void> {
    if (event.topic !== 'accounts' && !(event.topic === 'run' && !event.progress)) return;
    const touched = [...this.#calendars.keys()].filter((did) => did === null || !('did' in event) || did === event.did);
    await Promise.all([...touched.map((did) => this.load(did)), this.#storageWanted && this.storage.load()]);
  }
}

async function ask(did: string | null): Promise<Calendar> {
  const now = Date.now();
  const [days, hours] = [dayStarts(now), hourStarts(now)];
  const [dayCells, hourCells] = await Promise.all([backend.calendar(did, days), backend.calendar(did, hours)]);
  return { days, dayCells, hours, hourCells };
}
