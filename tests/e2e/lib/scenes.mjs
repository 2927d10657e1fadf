// Every page worth looking at: what the engine answers, and what to do before looking.
import { MINUTE, nothing, problem, providers, READY_LINES, tested } from '../../../ui/src/test/made-up.js';
import {
  account,
  ALICE,
  answers,
  bucket,
  cell,
  complete,
  DAY,
  drive,
  family,
  hostDown,
  HOUR,
  lost,
  NOW,
  place,
  progress,
  readiness,
  shrunk,
  snapshot,
  snapshots,
  unknownHandle,
  well,
  wrongSecret,
} from './made-up.mjs';
import { damageScenes } from './damage.mjs';
import { roomScenes } from './rooms.mjs';
import { familyScenes } from './sharing.mjs';
import { wordsOf } from './words.mjs';

/** What is kept of it: nothing is missing, and both places have all of it. */
const whole = snapshots.map((snapshot) => ({
  ...snapshot,
  media_missing: [],
  places: [place.id, drive.id],
}));
const ACCOUNT = `#/account/${ALICE}`;

const empty = {
  byLength: { 56: Array(56).fill(cell(0, 0)), 24: Array(24).fill(cell(0, 0)) },
};

const away = {
  ...account,
  kept: { ...complete, state: 'stale', last_checked: NOW - 74 * HOUR },
  readiness: {
    lines: readiness(['fresh', 'apart', 'media', 'checked', 'recovery_key']).lines.map((line) =>
      ['fresh', 'identity'].includes(line.what) ? { ...line, since: NOW - 74 * HOUR } : line,
    ),
    read_back: NOW - 80 * HOUR,
  },
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

/** A check that is half done with the first of its parts. */
const reading = {
  step: 'reading',
  items: 602,
  items_total: 1204,
  bytes: 412e6,
  bytes_total: 843_112_004,
  seconds_left: 70,
};

/** The engine tells how far a check of a place is. */
const checks = (page, { id }, progress) =>
  page.evaluate((event) => window.__engine.tell(event), { topic: 'check', place: id, progress });

/** Fills in the form of a bucket, and has it tested. */
async function typeBucket(page, say) {
  await page.getByLabel(say('bucket.region')).fill('eu-central-1');
  await page.getByLabel(say('bucket.bucket'), { exact: true }).fill('alice-backups');
  await page.getByLabel(say('bucket.access')).fill('AKIDEXAMPLE');
  await page.getByLabel(say('bucket.secret')).fill('not a real secret');
  await page.getByRole('button', { name: say('bucket.test') }).click();
}

/** By name; `before` gets the page and what says its words. */
export const scenes = {
  ...roomScenes,
  ...familyScenes,
  ...damageScenes,
  'start-unknown': {
    answers: answers([], {
      places: { value: [] },
      look_up: { refused: unknownHandle },
    }),
    at: '#/protect',
    before: async (page, say) => {
      await page.getByLabel(say('protect.label')).fill('alcie.test');
      await page.getByRole('button', { name: say('protect.find') }).click();
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
          readiness: readiness(READY_LINES),
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
  'accounts-one': { at: '#/accounts', answers: answers([account]) },
  kept: {
    at: ACCOUNT,
    answers: answers([well], {
      places: { value: [place, drive] },
      snapshots: { value: whole },
    }),
  },
  'kept-details': {
    at: ACCOUNT,
    answers: answers([account]),
    before: async (page, say) => {
      await page.getByRole('button', { name: /13:00/ }).click();
      await page.getByText(say('snapshots.signed_current')).first().scrollIntoViewIfNeeded();
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
    before: async (page, say) => {
      await page.getByRole('button', { name: say('account.pause') }).press('Enter');
      await page.getByRole('menuitem', { name: say('account.pause_hour') }).waitFor();
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
    before: async (page, say) => {
      await page.getByRole('button', { name: say('account.portable') }).click();
      await page.getByText(say('portable.done')).waitFor();
    },
  },
  'stop-protecting': {
    at: ACCOUNT,
    answers: answers([account], { places: { value: [place, drive] } }),
    before: async (page, say) => {
      await page.getByRole('button', { name: say('account.more'), exact: true }).click();
      await page.getByRole('menuitem', { name: say('account.stop') }).click();
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
    before: async (page, say) => {
      await page.getByRole('button', { name: say('shrink.no'), exact: true }).click();
      await page.getByText(say('shrink.held')).waitFor();
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
            behind_since: NOW - 19 * DAY,
          },
        ],
      },
    }),
  },
  'places-leaving': {
    at: '#/places',
    answers: answers([well], {
      places: {
        value: [
          { ...place, role: { is: 'moves', to: 'Family drive' }, only_here: 12 },
          drive,
          { ...bucket, role: { is: 'retired' }, behind: 9, behind_since: NOW - 3 * DAY },
        ],
      },
    }),
  },
  'places-move': {
    at: '#/places',
    answers: answers([well], { places: { value: [place, drive, bucket] } }),
    before: async (page, say) => {
      await page
        .getByRole('button', { name: say('place.move') })
        .first()
        .click();
    },
  },
  'places-retire': {
    at: '#/places',
    answers: answers([well], { places: { value: [{ ...place, only_here: 12 }, drive] } }),
    before: async (page, say) => {
      await page
        .getByRole('button', { name: say('place.retire') })
        .first()
        .click();
    },
  },
  'places-bucket': {
    at: '#/places',
    answers: answers([well], {
      places: {
        value: [
          place,
          bucket,
          {
            ...bucket,
            id: 'place-5',
            name: 'Garage at home',
            state: 'refused',
          },
        ],
      },
      test_place: { value: { problem: wrongSecret, abilities: null } },
    }),
    before: async (page, say) => {
      await page
        .getByRole('button', { name: say('bucket.test') })
        .last()
        .click();
      await page.getByRole('alert').waitFor();
    },
  },
  'places-keys': {
    at: '#/places',
    answers: answers([well], {
      places: { value: [place, { ...bucket, state: 'refused' }] },
      change_keys: { refused: wrongSecret },
      test_place: { value: tested() },
    }),
    before: async (page, say) => {
      await page.getByRole('button', { name: say('place.keys'), exact: true }).click();
      await page.getByLabel(say('bucket.access')).fill('AKIDEXAMPLE');
      await page.getByLabel(say('bucket.secret')).fill('not a real secret');
      await page.getByRole('button', { name: say('place.keys_now') }).click();
      await page.getByRole('alert').waitFor();
    },
  },
  bucket: {
    at: '#/bucket',
    answers: answers([account], { providers: { value: providers } }),
    before: (page, say) => page.getByLabel(say('bucket.region')).waitFor(),
  },
  'bucket-wanting': {
    at: '#/bucket',
    answers: answers([account], { providers: { value: providers } }),
    before: async (page, say) => {
      await page.getByLabel(say('bucket.region')).waitFor();
      await page.getByRole('button', { name: say('bucket.test') }).click();
      await page.locator('[aria-invalid="true"]').first().waitFor();
    },
  },
  'bucket-good': {
    at: '#/bucket',
    answers: answers([account], {
      providers: { value: providers },
      try_bucket: { value: tested() },
    }),
    before: async (page, say) => {
      await typeBucket(page, say);
      await page.getByRole('button', { name: say('bucket.use') }).waitFor();
    },
  },
  'bucket-refused': {
    at: '#/bucket',
    answers: answers([account], {
      providers: { value: providers },
      try_bucket: { value: { problem: wrongSecret, abilities: null } },
    }),
    before: async (page, say) => {
      await typeBucket(page, say);
      await page.getByRole('alert').waitFor();
    },
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
              how: 'read_all',
              files: 1204,
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
    before: async (page, say) => {
      await page
        .getByRole('button', { name: say('place.check') })
        .first()
        .click();
      await page.getByText(say('place.checked', { count: 1204 })).waitFor();
    },
  },
  'places-checking': {
    at: '#/places',
    answers: answers(
      [
        {
          ...account,
          run: progress('media', { items: 3, items_total: 7, bytes: 2e6 }),
        },
      ],
      {
        places: {
          value: [
            { ...place, busy: true },
            { ...drive, busy: true },
          ],
        },
        check: 'never',
      },
    ),
    before: async (page, say) => {
      await page
        .getByRole('button', { name: say('place.check') })
        .first()
        .click();
      await checks(page, place, reading);
      await checks(page, drive, {
        ...reading,
        step: 'asking',
        items_total: null,
        bytes_total: null,
        seconds_left: null,
      });
      await page.getByRole('progressbar').nth(1).waitFor();
    },
  },
  'home-checking': {
    answers: answers([account], { places: { value: [place, drive] }, check: 'never' }),
    before: async (page, say) => {
      await page.getByRole('button', { name: say('ready.check_files') }).click();
      await checks(page, place, reading);
      await checks(page, drive, {
        ...reading,
        step: 'mending',
        items: 1,
        items_total: 2,
        bytes: 3e6,
        bytes_total: 4e6,
      });
      await page.getByRole('progressbar').nth(1).waitFor();
    },
  },
  'from-backup': {
    at: ACCOUNT,
    answers: answers([{ ...away, from_backup: true, readiness: readiness(), waiting: null, whose: 'theirs' }]),
  },
  'place-removed': {
    at: '#/places',
    answers: answers([account], { places: { value: [place, drive] } }),
    before: async (page, say) => {
      await page
        .getByRole('button', { name: say('place.remove') })
        .last()
        .click();
      await page.getByRole('dialog').waitFor();
    },
  },
  protect: { answers: answers([account]), at: '#/protect' },
  'engine-closed': {
    answers: answers([], {
      accounts: {
        refused: problem('needs_you', {
          code: 'already_running',
          actions: ['try_again'],
          detail: 'engine.lock is held',
        }),
      },
      places: { value: [] },
    }),
  },
};

/** A scene in a language: its controls are found by its words, and the engine's problems are told in them. */
export function sceneIn(name, locale = 'en') {
  const { answers, before, at = '' } = scenes[name];
  const { say, worded } = wordsOf(locale);
  return {
    answers: worded(answers),
    at,
    before: (page) => before?.(page, say),
  };
}
