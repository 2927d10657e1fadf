// Made-up answers of the engine, for every test of the window: the state classes' and the pages' in a browser.
//
// JavaScript, so that Node reads it as it is; the compiler holds it against the bindings all the same.

/** @import { Account, Family, Kept, Member, Place, PlaceTest, Preferences, Problem, Progress, Provider, Readiness, ReadyWhat, Snapshot } from '$lib/bindings' */

/** Twelve past two on a Sunday, by the clock on the wall. */
export const NOW = new Date(2026, 10, 22, 14, 12).getTime();
export const MINUTE = 60_000;
export const ALICE = 'did:plc:ewvi7nxzyoun6zhxrhs64oiz';

/** @param {Partial<Kept>} more @returns {Kept} */
export const kept = (more = {}) => ({
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

export const nothing = kept({
  state: 'nothing',
  last_checked: null,
  last_snapshot: null,
  places: 0,
  records: 0,
  media: 0,
  bytes: 0,
});

/** @type {ReadyWhat[]} */
export const READY_LINES = ['fresh', 'apart', 'media', 'checked', 'identity', 'recovery_key'];

/**
 * Everything is there but the recovery key, unless it is said otherwise.
 * @param {ReadyWhat[]} unready
 * @returns {Readiness}
 */
export const readiness = (unready = ['recovery_key']) => ({
  lines: READY_LINES.map((what) => ({
    what,
    ready: !unready.includes(what),
    since: NOW - 12 * MINUTE,
    count: what === 'media' ? 10 : 0,
    total: what === 'media' ? 10 : 0,
  })),
  read_back: null,
});

/** @param {Partial<Account>} more @returns {Account} */
export const account = (more = {}) => ({
  did: ALICE,
  handle: 'alice.test',
  display_name: 'Alice',
  avatar: null,
  from_backup: false,
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

/** @param {Partial<Place>} more @returns {Place} */
export const place = (more = {}) => ({
  id: 'p',
  name: 'Skykeep',
  kind: 'folder',
  path: '/home/a/Skykeep',
  state: 'ready',
  this_computer: true,
  last_seen: NOW - MINUTE,
  last_checked: null,
  last_listed: NOW - MINUTE,
  free: 212_000_000_000,
  used: 843_112_004,
  filling: false,
  removable: false,
  busy: false,
  behind: 0,
  behind_since: null,
  accounts: 1,
  only_here: 0,
  role: { is: 'active' },
  read_whole: null,
  reading: null,
  damaged: [],
  ...more,
});

/** Somebody on a shared place, who is well. @param {Partial<Member>} more @returns {Member} */
export const member = (more = {}) => ({
  folder: 'did_plc_ewvi7nxzyoun6zhxrhs64oiz',
  did: ALICE,
  handle: 'alice.test',
  kept_here: true,
  left: false,
  last_backup: NOW - 12 * MINUTE,
  late: 'no',
  snapshots: 214,
  bytes: 843_112_004,
  over_share: false,
  computers: [{ writer: 'aaaaaaaa', this: true, last: NOW - 12 * MINUTE }],
  disbelieved: 0,
  watched: null,
  findings: [],
  ...more,
});

/** Who shares a place. @param {Partial<Family>} more @returns {Family} */
export const family = (more = {}) => ({
  place: 'p',
  name: 'Family drive',
  read: NOW - MINUTE,
  away: false,
  members: [member()],
  room: {
    used: 843_112_004,
    free: 212_000_000_000,
    share: 70_000_000_000,
    share_set: false,
    full_in: null,
    state: 'enough',
  },
  ...more,
});

/** What a test of a bucket found: all is well, and nobody is kept from deleting. @returns {PlaceTest} */
export const tested = () => ({
  problem: null,
  abilities: {
    versioning: true,
    locked_days: 0,
    conditions: true,
    checksums: true,
    deletes: true,
    encrypted: true,
  },
});

/** Three entries of the form, one of each kind. @type {Provider[]} */
export const providers = [
  {
    id: 'aws',
    name: 'Amazon S3',
    address: 'https://s3.{region}.amazonaws.com',
    of: 'region',
    region: '',
    regions: ['eu-central-1', 'us-east-1'],
    in_host: true,
  },
  {
    id: 'r2',
    name: 'Cloudflare R2',
    address: 'https://{account}.r2.cloudflarestorage.com',
    of: 'account',
    region: 'auto',
    regions: ['auto'],
    in_host: false,
  },
  {
    id: 'garage',
    name: 'Garage',
    address: 'http://192.168.1.10:3900',
    of: 'own',
    region: 'garage',
    regions: ['garage'],
    in_host: false,
  },
];

/** @param {Partial<Progress>} more @returns {Progress} */
export const progress = (more = {}) => ({
  did: ALICE,
  phase: 'media',
  items: 1,
  items_total: 2,
  bytes: 10,
  bytes_total: null,
  seconds_left: null,
  ...more,
});

/** @param {Problem['severity']} severity @param {Partial<Problem>} more @returns {Problem} */
export const problem = (severity, more = {}) => ({
  code: 'made_up',
  severity,
  happened: 'It happened.',
  means: 'It means this.',
  todo: 'Do that.',
  actions: [],
  detail: null,
  ...more,
});

/** @param {Partial<Snapshot>} more @returns {Snapshot} */
export const snapshot = (more = {}) => ({
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

/** @param {Partial<Preferences>} more @returns {Preferences} */
export const preferences = (more = {}) => ({
  every_minutes: 60,
  quiet: null,
  tell_after_days: 3,
  tell_places: true,
  tell_repairs: true,
  battery_below: 20,
  metered: 'wait',
  watch_family: true,
  language: null,
  appearance: 'system',
  plc_url: null,
  handle_resolver: null,
  ...more,
});
