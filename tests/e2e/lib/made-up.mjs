// Made-up answers of the engine, for pages in a browser: an account of some years, in detail.
import * as made from '../../../ui/src/test/made-up.js';

export { ALICE, NOW } from '../../../ui/src/test/made-up.js';
const { ALICE, MINUTE, NOW } = made;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const PICTURE =
  'data:image/svg+xml;base64,' +
  Buffer.from(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" fill="#9db4d8"/>' +
      '<circle cx="32" cy="25" r="12" fill="#33466e"/><path d="M8 64a24 22 0 0 1 48 0z" fill="#33466e"/></svg>',
  ).toString('base64');

export const person = {
  did: ALICE,
  handle: 'alice.test',
  display_name: 'Alice Liddell',
  avatar: PICTURE,
  host: 'morel.us-east.host.example',
  status: 'active',
  known: false,
};

export const complete = made.kept({
  records: 12_840,
  media: 312,
  media_missing: 2,
  bytes: 843_112_004,
});

/** Everything but the key, and nothing apart from this computer unless it is said otherwise. */
export const readiness = (unready = ['apart', 'media', 'checked', 'recovery_key']) => {
  const facts = {
    fresh: [NOW - 12 * MINUTE],
    apart: [NOW - 12 * MINUTE, 1],
    media: [NOW - 72 * MINUTE, 312, unready.includes('media') ? 314 : 312],
    checked: [NOW - 4 * DAY],
    identity: [NOW - 12 * MINUTE],
    recovery_key: [null],
  };
  const lines = made.readiness(unready).lines.map((line) => {
    const [since, count = 0, total = 0] = facts[line.what];
    const known = line.ready || ['fresh', 'media'].includes(line.what);
    return { ...line, since: known ? since : null, count, total };
  });
  return { lines, read_back: null };
};

/** Eight weeks and a day of an account that posts on most days and whose host was away for two. */
export const cell = (kept, unchanged, skipped = 0, failed = 0) => ({
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
      return cell(1 + (day % 5), 20, 0, day % 17 === 7 ? 1 : 0);
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

const hostBusy = made.problem('note', { code: 'host_busy' });

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

export const account = made.account({
  display_name: 'Alice Liddell',
  avatar: PICTURE,
  host: person.host,
  added: NOW - 47 * DAY,
  kept: complete,
  readiness: readiness(),
});

export const place = made.place({ id: 'place-1', path: '/home/alice/Skykeep' });

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

export const bucket = {
  ...place,
  id: 'place-4',
  name: 'Family cloud',
  kind: 'bucket',
  path: 's3.eu-central-1.amazonaws.com/alice-backups/skykeep',
  this_computer: false,
  last_checked: NOW - 2 * DAY,
  free: null,
};

export const wrongSecret = made.problem('needs_you', {
  code: 'server_secret',
  actions: ['try_again', 'show_detail'],
  detail: 's3.eu-central-1.amazonaws.com: SignatureDoesNotMatch',
});

export const spots = [
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

const OLDER = [
  'First frost. The dahlias did not take it well.',
  'A reminder that the reading group meets in the small room this week.',
  'Somebody left a very good umbrella on the 14 tram. It is at the depot now.',
];

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
      said(`3lbgyhsajdd${String(n).padStart(2, '0')}`, OLDER[n % OLDER.length], (40 + n) * DAY),
    ),
  ],
};

/** A run that is at this part of it. */
export const progress = (phase, more = {}) => made.progress({ phase, items: 0, items_total: null, bytes: 0, ...more });

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
    reason: 'not_found',
  },
  {
    cid: 'bafkreiabcdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
    record: `app.bsky.feed.post/3kbgyhsajdc2y`,
    reason: 'mismatch',
  },
];

export const snapshot = (id, taken, posts, likes, more = {}) =>
  made.snapshot({
    id,
    taken,
    commit: 'bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
    records: posts + likes + 315,
    collections: collections(posts, likes),
    media: 312,
    media_missing: missing,
    bytes: 843_112_004,
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

export const hostDown = made.problem('needs_you', {
  code: 'host_unreachable',
  actions: ['back_up_now', 'show_detail'],
  detail: 'connect to morel.us-east.host.example:443: connection refused (111)',
});

export const shrunk = made.problem('danger', {
  code: 'shrunk',
  actions: ['confirm_shrink'],
});
export const unknownHandle = made.problem('note', {
  code: 'handle_not_found',
  actions: ['enter_did', 'try_again'],
});

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
    whose: n % 3 === 0 ? 'theirs' : 'mine',
    ...(n === 1 ? { kept: { ...complete, state: 'stale' }, problems: [hostDown] } : {}),
    ...(n === 2
      ? {
          kept: made.nothing,
          readiness: readiness(made.READY_LINES),
          run: progress('fetching'),
        }
      : {}),
  })),
];

/** What the engine answers of these accounts. */
export const answers = (accounts, more = {}) => ({
  accounts: { value: accounts },
  snapshots: { value: snapshots },
  changes: { value: changes },
  calendar,
  runs: { value: runs(accounts.map(({ did }) => did)) },
  storage: { value: storage(accounts) },
  standing: { value: [] },
  places: { value: [place] },
  spots: { value: spots },
  preferences: { value: made.preferences() },
  ...more,
});

/** Two places, everything checked. */
export const well = {
  ...account,
  kept: { ...complete, places: 2, this_computer_only: false, media_missing: 0 },
  readiness: readiness(['recovery_key']),
};
