// Made-up answers of the engine, for pages in a browser only.

import { roomScenes } from './rooms.mjs';

export const NOW = Date.parse('2026-11-22T14:12:00Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const PICTURE =
  'data:image/svg+xml;base64,' +
  Buffer.from(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" fill="#9db4d8"/>' +
      '<circle cx="32" cy="25" r="12" fill="#33466e"/><path d="M8 64a24 22 0 0 1 48 0z" fill="#33466e"/></svg>',
  ).toString('base64');

export const ALICE = 'did:plc:ewvi7nxzyoun6zhxrhs64oiz';

export const person = {
  did: ALICE,
  handle: 'alice.test',
  display_name: 'Alice Liddell',
  avatar: PICTURE,
  host: 'morel.us-east.host.example',
  status: 'active',
  known: false,
};

export const nothing = {
  state: 'nothing',
  last_checked: null,
  last_snapshot: null,
  places: 0,
  this_computer_only: true,
  records: 0,
  media: 0,
  media_missing: 0,
  media_pending: 0,
  bytes: 0,
};

export const complete = {
  state: 'complete',
  last_checked: NOW - 12 * MINUTE,
  last_snapshot: NOW - 72 * MINUTE,
  places: 1,
  this_computer_only: true,
  records: 12_840,
  media: 312,
  media_missing: 2,
  media_pending: 0,
  bytes: 843_112_004,
};

export const account = {
  did: ALICE,
  handle: 'alice.test',
  display_name: 'Alice Liddell',
  avatar: PICTURE,
  host: 'morel.us-east.host.example',
  kept: complete,
  run: null,
  next_due: NOW + 48 * MINUTE,
  waiting: null,
  problems: [],
};

export const place = {
  id: 'place-1',
  name: 'Skykeep',
  path: '/home/alice/Skykeep',
  state: 'ready',
  this_computer: true,
  last_seen: NOW - MINUTE,
  last_checked: null,
  free: 212_000_000_000,
};

export const progress = (phase, more = {}) => ({
  did: ALICE,
  phase,
  items: 0,
  items_total: null,
  bytes: 0,
  bytes_total: null,
  seconds_left: null,
  ...more,
});

const collections = (posts, likes) => [
  { collection: 'app.bsky.actor.profile', records: 1 },
  { collection: 'app.bsky.feed.like', records: likes },
  { collection: 'app.bsky.feed.post', records: posts },
  { collection: 'app.bsky.graph.follow', records: 310 },
  { collection: 'com.example.recipe', records: 4 },
];

const missing = [
  {
    cid: 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
    record: `app.bsky.feed.post/3lbgyhsajdc2y`,
    reason: 'the host no longer has it',
  },
  {
    cid: 'bafkreiabcdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
    record: `app.bsky.feed.post/3kbgyhsajdc2y`,
    reason: 'it did not match its fingerprint',
  },
];

export const snapshot = (id, taken, posts, likes, more = {}) => ({
  id,
  taken,
  rev: '3mfgyhsajdc2y',
  commit: 'bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
  signature: 'current',
  records: posts + likes + 315,
  collections: collections(posts, likes),
  media: 312,
  media_missing: missing,
  media_pending: 0,
  bytes: 843_112_004,
  imported: false,
  unchanged: false,
  pinned: false,
  places: ['place-1'],
  ...more,
});

export const snapshots = [
  snapshot('s5', NOW - 72 * MINUTE, 4025, 8500),
  snapshot('s4', NOW - 5 * HOUR, 4022, 8488, { unchanged: true }),
  snapshot('s3', NOW - 26 * HOUR, 4022, 8488),
  snapshot('s2', NOW - 28 * HOUR, 4021, 8489, { media: 310, pinned: true }),
  snapshot('s1', NOW - 30 * HOUR, 4021, 8489, { media: 96, media_pending: 214 }),
];

export const hostDown = {
  code: 'host_unreachable',
  severity: 'needs_you',
  happened: 'Your host has not answered for three days.',
  means: 'Everything up to 19 November is kept. What you posted since then is not.',
  todo: 'Skykeep keeps asking. If others cannot reach the host either, it may be gone for good.',
  actions: ['back_up_now', 'show_detail'],
  detail: 'connect to morel.us-east.host.example:443: connection refused (111)',
};

export const shrunk = {
  code: 'sudden_shrink',
  severity: 'danger',
  happened: 'A third of your posts are gone from your host.',
  means: 'All of them are still kept here, in the snapshot of yesterday at 14:00.',
  todo: 'If you deleted them yourself, say so. If not, do not sign in there until you know more.',
  actions: ['confirm_shrink', 'check_now'],
  detail: null,
};

export const unknownHandle = {
  code: 'handle_not_found',
  severity: 'note',
  happened: 'Nobody goes by the name of alcie.test.',
  means: 'Nothing is wrong with your account: the name leads nowhere.',
  todo: 'Look for a typing error. If your host is gone, type the address of your profile or your permanent number.',
  actions: ['enter_did', 'try_again'],
  detail: null,
};

const name = (n) =>
  ['bob.test', 'carol-and-the-very-long-handle-of-hers.pottery.example', 'dan.test'][n] ?? `friend-${n}.test`;

export const family = (count) => [
  account,
  ...Array.from({ length: count - 1 }, (_, n) => ({
    ...account,
    did: `did:plc:${String(n).padStart(24, 'a')}`,
    handle: name(n),
    display_name: n % 2 ? null : 'Bob',
    avatar: null,
    ...(n === 1 ? { kept: { ...complete, state: 'stale' }, problems: [hostDown] } : {}),
    ...(n === 2 ? { kept: nothing, run: progress('fetching') } : {}),
  })),
];

const answers = (accounts, more = {}) => ({
  accounts: { value: accounts },
  snapshots: { value: snapshots },
  places: { value: [place] },
  ...more,
});

/** Every page worth looking at: what the engine answers, and what to do before looking. */
export const scenes = {
  ...roomScenes({ NOW, account, person, place, hostDown, answers }),
  'start-unknown': {
    answers: answers([], { places: { value: [] }, look_up: { refused: unknownHandle } }),
    at: '#/protect',
    before: async (page) => {
      await page.getByLabel('Handle').fill('alcie.test');
      await page.getByRole('button', { name: 'Find account' }).click();
      await page.getByRole('alert').waitFor();
    },
  },
  'first-backup': {
    answers: answers(
      [
        {
          ...account,
          kept: nothing,
          next_due: null,
          run: progress('media', { items: 120, items_total: 312, bytes: 34e6, bytes_total: 80e6, seconds_left: 95 }),
        },
      ],
      { snapshots: { value: [] } },
    ),
  },
  'posts-first': {
    answers: answers(
      [
        {
          ...account,
          kept: { ...complete, state: 'posts_only', media: 96, media_missing: 0, media_pending: 216 },
          run: progress('media', { items: 96, items_total: 312 }),
        },
      ],
      {
        snapshots: {
          value: [snapshot('s1', NOW - MINUTE, 4021, 8489, { media: 96, media_pending: 216, media_missing: [] })],
        },
      },
    ),
  },
  kept: { answers: answers([account]) },
  'kept-details': {
    answers: answers([account]),
    before: async (page) => {
      await page.getByRole('button', { name: /13:00/ }).click();
      await page.getByText('Valid: your account').scrollIntoViewIfNeeded();
    },
  },
  'needs-you': {
    answers: answers([
      {
        ...account,
        kept: { ...complete, state: 'stale', last_checked: NOW - 74 * HOUR },
        problems: [hostDown],
        waiting: { reason: 'host', since: NOW - 74 * HOUR, until: NOW + 30 * MINUTE },
      },
    ]),
  },
  danger: { answers: answers([{ ...account, problems: [shrunk] }]) },
  family: { answers: answers(family(4)) },
  many: { answers: answers(family(40)) },
  'engine-closed': {
    answers: {
      accounts: {
        refused: {
          code: 'already_running',
          severity: 'needs_you',
          happened: 'Another Skykeep is working with this data folder.',
          means: 'Your backups go on: the other one makes them.',
          todo: 'Close the other one, then try again.',
          actions: ['try_again'],
          detail: 'engine.lock is held',
        },
      },
      places: { value: [] },
    },
  },
};
