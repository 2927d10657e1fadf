// Made-up answers of the engine.

import type {
  Account,
  Kept,
  Place,
  Preferences,
  Problem,
  Progress,
  Readiness,
  ReadyWhat,
  Snapshot,
} from '$lib/bindings';

export const NOW = new Date(2026, 10, 22, 14, 12).getTime();
export const MINUTE = 60_000;
export const ALICE = 'did:plc:ewvi7nxzyoun6zhxrhs64oiz';

export const kept = (more: Partial<Kept> = {}): Kept => ({
  state: 'complete',
  last_checked: NOW - 12 * MINUTE,
  last_snapshot: NOW - 72 * MINUTE,
  places: 1,
  this_computer_only: true,
  records: 100,
  media: 10,
  media_missing: 0,
  media_pending: 0,
  bytes: 1_000_000,
  ...more,
});

export const nothing = kept({ state: 'nothing', last_checked: null, last_snapshot: null, places: 0, records: 0 });

/** Everything is there but the recovery key, unless it is said otherwise. */
export const readiness = (unready: ReadyWhat[] = ['recovery_key']): Readiness => ({
  lines: (['fresh', 'apart', 'media', 'checked', 'identity', 'recovery_key'] as const).map((what) => ({
    what,
    ready: !unready.includes(what),
    since: NOW - 12 * MINUTE,
    count: what === 'media' ? 10 : 0,
    total: what === 'media' ? 10 : 0,
  })),
});

export const account = (more: Partial<Account> = {}): Account => ({
  did: ALICE,
  handle: 'alice.test',
  display_name: 'Alice',
  avatar: null,
  host: 'pds.example',
  whose: 'mine',
  added: NOW - 40 * 24 * 60 * MINUTE,
  kept: kept(),
  readiness: readiness(),
  run: null,
  next_due: NOW + 48 * MINUTE,
  waiting: null,
  problems: [],
  ...more,
});

export const place = (more: Partial<Place> = {}): Place => ({
  id: 'p',
  name: 'Skykeep',
  path: '/home/a/Skykeep',
  state: 'ready',
  this_computer: true,
  last_seen: NOW - MINUTE,
  last_checked: null,
  free: 212_000_000_000,
  removable: false,
  busy: false,
  behind: 0,
  accounts: 1,
  ...more,
});

export const progress = (more: Partial<Progress> = {}): Progress => ({
  did: ALICE,
  phase: 'media',
  items: 1,
  items_total: 2,
  bytes: 10,
  bytes_total: null,
  seconds_left: null,
  ...more,
});

export const problem = (severity: Problem['severity'], more: Partial<Problem> = {}): Problem => ({
  code: 'made_up',
  severity,
  happened: 'It happened.',
  means: 'It means this.',
  todo: 'Do that.',
  actions: [],
  detail: null,
  ...more,
});

export const snapshot = (more: Partial<Snapshot> = {}): Snapshot => ({
  id: 's1',
  taken: NOW,
  rev: '3mfgyhsajdc2y',
  commit: 'bafyrei',
  signature: 'current',
  records: 3,
  collections: [
    { collection: 'app.bsky.feed.post', records: 2 },
    { collection: 'com.example.recipe', records: 1 },
  ],
  media: 10,
  media_missing: [],
  media_pending: 0,
  bytes: 1000,
  imported: false,
  unchanged: false,
  pinned: false,
  places: [],
  ...more,
});

export const preferences = (more: Partial<Preferences> = {}): Preferences => ({
  every_minutes: 60,
  quiet: null,
  tell_after_days: 3,
  tell_places: true,
  tell_repairs: true,
  battery_below: 20,
  metered: 'wait',
  language: null,
  appearance: 'system',
  plc_url: null,
  handle_resolver: null,
  ...more,
});
