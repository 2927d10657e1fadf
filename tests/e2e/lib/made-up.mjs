// Made-up answers of the engine, for pages in a browser only.

import { preferences, roomScenes } from './rooms.mjs';

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

const DAY = 24 * HOUR;

/** Everything but the key, and nothing apart from this computer unless it is said otherwise. */
export const readiness = (unready = ['apart', 'media', 'checked', 'recovery_key']) => ({
  lines: [
    ['fresh', NOW - 12 * MINUTE],
    ['apart', NOW - 12 * MINUTE, 1],
    ['media', NOW - 72 * MINUTE, 312, unready.includes('media') ? 314 : 312],
    ['checked', NOW - 4 * DAY],
    ['identity', NOW - 12 * MINUTE],
    ['recovery_key', null],
  ].map(([what, since, count = 0, total = 0]) => ({
    what,
    ready: !unready.includes(what),
    since: unready.includes(what) && !['fresh', 'media'].includes(what) ? null : since,
    count,
    total,
  })),
});

/** Eight weeks and a day of an account that posts on most days and whose host was away for two. */
const cell = (kept, unchanged, skipped = 0, failed = 0) => ({
  kept,
  unchanged,
  skipped,
  failed,
});
export const calendar = {
  byLength: {
    56: Array.from({ length: 56 }, (_, day) => {
      if (day < 9) return cell(0, 0);
      if (day === 31 || day === 32) return cell(0, 0, 0, 24);
      if (day === 20) return cell(0, 0, 18);
      if (day % 7 === 3 || day % 11 === 5) return cell(0, 24);
      return cell(1 + (day % 5), 20);
    }),
    24: Array.from({ length: 24 }, (_, hour) => {
      if (hour >= 9 && hour <= 14) return cell(0, 0, 1);
      if (hour === 17) return cell(0, 0, 0, 1);
      return hour % 5 === 2 || hour === 22 ? cell(1, 0) : cell(0, 1);
    }),
  },
};

const ran = (did, ago, end) => ({
  did,
  began: NOW - ago - 20_000,
  ended: NOW - ago,
  end,
});
export const runs = (dids = [ALICE]) =>
  [
    ...[12, 72].map((ago, n) => [ago * MINUTE, { outcome: 'completed', changed: n === 1 }]),
    ...[2, 3, 4, 5].map((ago) => [ago * HOUR, { outcome: 'completed', changed: false }]),
    [6 * HOUR, { outcome: 'failed', problem: hostBusy }],
    [7 * HOUR, { outcome: 'completed', changed: true }],
    [26 * HOUR, { outcome: 'stopped' }],
    [27 * HOUR, { outcome: 'completed', changed: true }],
  ].map(([ago, end], n) => ran(dids[n % dids.length], ago, end));

const hostBusy = {
  code: 'host_busy',
  severity: 'note',
  happened: 'morel.us-east.host.example was busy and asked Skykeep to wait.',
  means: 'Nothing is wrong. The next backup comes a little later than usual.',
  todo: 'Nothing. Skykeep goes on by itself.',
  actions: [],
  detail: null,
};

export const storage = (accounts) => ({
  accounts: accounts
    .map(({ did, kept }, n) => ({
      did,
      bytes: Math.round(kept.bytes / (n + 1)),
      media_bytes: Math.round((kept.bytes * 0.93) / (n + 1)),
    }))
    .filter(({ bytes }) => bytes > 0),
  growth: [0, 3, 9, 14, 21, 30, 38, 46].map((day, n) => ({
    at: NOW - (46 - day) * DAY,
    bytes: [610e6, 618e6, 655e6, 672e6, 731e6, 790e6, 824e6, 843_112_004][n],
  })),
});

export const account = {
  did: ALICE,
  handle: 'alice.test',
  display_name: 'Alice Liddell',
  avatar: PICTURE,
  host: 'morel.us-east.host.example',
  whose: 'mine',
  added: NOW - 47 * DAY,
  kept: complete,
  readiness: readiness(),
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
  removable: false,
  busy: false,
  behind: 0,
  accounts: 1,
};

export const drive = {
  ...place,
  id: 'place-2',
  name: 'Family drive',
  path: '/media/alice/Family drive/Skykeep',
  this_computer: false,
  removable: true,
  last_checked: NOW - 4 * DAY,
  free: 1_240_000_000_000,
};

const spots = [
  {
    path: '/home/alice/Skykeep',
    name: 'Skykeep',
    kind: 'this_computer',
    free: 212_000_000_000,
    known: true,
  },
  {
    path: '/media/alice/GARAGE/Skykeep',
    name: 'GARAGE',
    kind: 'drive',
    free: 61_000_000_000,
    known: false,
  },
];

const said = (key, text, ago) => ({
  path: `app.bsky.feed.post/${key}`,
  text,
  created: NOW - ago,
});

export const changes = {
  before: 's4',
  collections: [
    { collection: 'app.bsky.feed.like', added: 14, changed: 0, removed: 2 },
    { collection: 'app.bsky.feed.post', added: 4, changed: 0, removed: 1 },
    { collection: 'app.bsky.actor.profile', added: 0, changed: 1, removed: 0 },
  ],
  media_added: 2,
  media_removed: 0,
  removed: [
    said('3lbgyhsajdc2y', 'I take that back: the kettle was never the problem.', 4 * HOUR),
    {
      path: 'app.bsky.feed.like/3lbgyhsajdc2z',
      text: null,
      created: NOW - 9 * DAY,
    },
  ],
};

export const lost = {
  before: 's2',
  collections: [{ collection: 'app.bsky.feed.post', added: 0, changed: 0, removed: 1340 }],
  media_added: 0,
  media_removed: 88,
  removed: [
    said('3lbgyhsajdc2a', 'The swifts are back. One nest under the eaves, two over the bakery.', 30 * DAY),
    said(
      '3lbgyhsajdc2b',
      'Recipe, as promised: soak the barley overnight, and do not be shy with the lemon.',
      31 * DAY,
    ),
    said(
      '3lbgyhsajdc2c',
      'Nobody told me that the ferry does not go on Sundays.\nIt does not go on Sundays.',
      35 * DAY,
    ),
    ...Array.from({ length: 20 }, (_, n) =>
      said(`3lbgyhsajdd${String(n).padStart(2, '2')}`, `Older post ${n}`, 40 * DAY),
    ),
  ],
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
  snapshot('s1', NOW - 30 * HOUR, 4021, 8489, {
    media: 96,
    media_pending: 214,
  }),
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

const ALL = ['fresh', 'apart', 'media', 'checked', 'identity', 'recovery_key'];

export const family = (count) => [
  account,
  ...Array.from({ length: count - 1 }, (_, n) => ({
    ...account,
    did: `did:plc:${String(n).padStart(24, 'a')}`,
    handle: name(n),
    display_name: n % 2 ? null : 'Bob',
    avatar: null,
    whose: n % 3 === 0 ? 'theirs' : 'mine',
    ...(n === 1 ? { kept: { ...complete, state: 'stale' }, problems: [hostDown] } : {}),
    ...(n === 2 ? { kept: nothing, readiness: readiness(ALL), run: progress('fetching') } : {}),
  })),
];
/** Two places, everything checked. */
const well = {
  ...account,
  kept: { ...complete, places: 2, this_computer_only: false, media_missing: 0 },
  readiness: readiness(['recovery_key']),
};

const answers = (accounts, more = {}) => ({
  accounts: { value: accounts },
  snapshots: { value: snapshots },
  changes: { value: changes },
  calendar,
  runs: { value: runs(accounts.map(({ did }) => did)) },
  storage: { value: storage(accounts) },
  standing: { value: [] },
  places: { value: [place] },
  spots: { value: spots },
  preferences: { value: preferences },
  ...more,
});
const ACCOUNT = `#/account/${ALICE}`;

const empty = {
  byLength: { 56: Array(56).fill(cell(0, 0)), 24: Array(24).fill(cell(0, 0)) },
};

const away = {
  ...account,
  kept: { ...complete, state: 'stale', last_checked: NOW - 74 * HOUR },
  readiness: readiness(['fresh', 'apart', 'media', 'checked', 'recovery_key']),
  problems: [hostDown],
  waiting: { reason: 'host', since: NOW - 74 * HOUR, until: NOW + 30 * MINUTE },
};

const LONG = {
  ...account,
  did: 'did:plc:long2222222222222222222',
  handle: 'the-one-with-an-exceedingly-long-handle-that-nobody-would-type.handles.of.a.small.village.example',
  display_name: null,
  avatar: null,
};

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
    at: ACCOUNT,
    answers: answers(
      [
        {
          ...account,
          kept: nothing,
          readiness: readiness(ALL),
          next_due: null,
          run: progress('media', {
            items: 120,
            items_total: 312,
            bytes: 34e6,
            bytes_total: 80e6,
            seconds_left: 95,
          }),
        },
      ],
      { snapshots: { value: [] }, calendar: empty, runs: { value: [] } },
    ),
  },
  'posts-first': {
    at: ACCOUNT,
    answers: answers(
      [
        {
          ...account,
          kept: {
            ...complete,
            state: 'posts_only',
            media: 96,
            media_missing: 0,
            media_pending: 216,
          },
          readiness: readiness(['apart', 'media', 'checked', 'recovery_key']),
          run: progress('media', { items: 96, items_total: 312 }),
        },
      ],
      {
        snapshots: {
          value: [
            snapshot('s1', NOW - MINUTE, 4021, 8489, {
              media: 96,
              media_pending: 216,
              media_missing: [],
            }),
          ],
        },
        calendar: empty,
        runs: { value: [] },
      },
    ),
  },
  home: { answers: answers([account]) },
  'home-well': {
    answers: answers([well], { places: { value: [place, drive] } }),
  },
  'home-needs-you': { answers: answers([away]) },
  family: { answers: answers(family(4)) },
  many: { answers: answers(family(40)) },
  accounts: { at: '#/accounts', answers: answers(family(4)) },
  kept: {
    at: ACCOUNT,
    answers: answers([well], { places: { value: [place, drive] } }),
  },
  'kept-details': {
    at: ACCOUNT,
    answers: answers([account]),
    before: async (page) => {
      await page.getByRole('button', { name: /13:00/ }).click();
      await page.getByText('Valid: your account').scrollIntoViewIfNeeded();
    },
  },
  paused: {
    at: ACCOUNT,
    answers: answers([
      {
        ...account,
        whose: 'theirs',
        waiting: { reason: 'paused', until: NOW + HOUR },
      },
    ]),
  },
  'pause-menu': {
    at: ACCOUNT,
    answers: answers([account]),
    before: async (page) => {
      await page.getByRole('button', { name: 'Pause' }).press('Enter');
      await page.getByRole('menuitem', { name: 'For 1 hour' }).waitFor();
    },
  },
  'portable-copy': {
    at: ACCOUNT,
    answers: answers([account], {
      'plugin:dialog|open': { value: '/media/alice/stick' },
      export: {
        value: {
          folder: '/media/alice/stick/Skykeep alice.test 2026-11-22 1412',
          snapshot: 's5',
          car_bytes: 34_112_004,
          records: 12_840,
          blobs: 310,
          missing: ['bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'],
        },
      },
    }),
    before: async (page) => {
      await page.getByRole('button', { name: 'Make a portable copy' }).click();
      await page.getByText('A portable copy was written.').waitFor();
    },
  },
  'stop-protecting': {
    at: ACCOUNT,
    answers: answers([account], { places: { value: [place, drive] } }),
    before: async (page) => {
      await page.getByRole('button', { name: 'More' }).click();
      await page.getByRole('menuitem', { name: 'Stop protecting' }).click();
      await page.getByRole('dialog').waitFor();
    },
  },
  'needs-you': { at: ACCOUNT, answers: answers([away]) },
  danger: {
    at: ACCOUNT,
    answers: answers([{ ...account, problems: [shrunk] }], {
      changes: { value: lost },
    }),
    before: async (page) => {
      await page.getByText('The swifts are back.').waitFor();
    },
  },
  'danger-no': {
    at: ACCOUNT,
    answers: answers([{ ...account, problems: [shrunk] }], {
      changes: { value: lost },
    }),
    before: async (page) => {
      await page.getByRole('button', { name: 'No', exact: true }).click();
      await page.getByText('Then what was there before is held on to').waitFor();
    },
  },
  snapshot: {
    at: `${ACCOUNT}/s5`,
    answers: answers([account], { places: { value: [place, drive] } }),
  },
  'long-handle': {
    at: `#/account/${LONG.did}`,
    answers: answers([account, LONG]),
  },
  places: {
    at: '#/places',
    answers: answers([well], { places: { value: [place, drive] } }),
  },
  'places-troubled': {
    at: '#/places',
    answers: answers([account], {
      spots: { value: [] },
      places: {
        value: [
          { ...place, state: 'full', free: 12_000_000, behind: 3, accounts: 0 },
          { ...drive, busy: true, behind: 2 },
          {
            ...drive,
            id: 'place-3',
            name: 'Garage',
            state: 'absent',
            free: null,
            last_seen: NOW - 19 * DAY,
            behind: 41,
          },
        ],
      },
    }),
  },
  'places-checked': {
    at: '#/places',
    answers: answers([account], {
      places: { value: [place, drive] },
      check: {
        by: {
          'place-1': [
            {
              place: 'place-1',
              sound: 1204,
              bytes: 843_112_004,
              damaged: [],
              mended: ['blobs/ku/bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'],
              whole_snapshots: 214,
              touched_snapshots: [],
            },
          ],
        },
      },
    }),
    before: async (page) => {
      await page.getByRole('button', { name: 'Check every file' }).first().click();
      await page.getByText('All 1,204 files read').waitFor();
    },
  },
  'place-removed': {
    at: '#/places',
    answers: answers([account], { places: { value: [place, drive] } }),
    before: async (page) => {
      await page.getByRole('button', { name: 'Stop using this place' }).last().click();
      await page.getByRole('dialog').waitFor();
    },
  },
  protect: { answers: answers([account]), at: '#/protect' },
  'engine-closed': {
    answers: answers([], {
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
    }),
  },
};
