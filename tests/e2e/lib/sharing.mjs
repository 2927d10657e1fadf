// Scenes of the page that says who shares a place.
import { family as sharing, member, MINUTE, problem } from '../../../ui/src/test/made-up.js';
import { answers, DAY, drive, HOUR, NOW, place, well } from './made-up.mjs';

/** Three people on one drive. */
const onDrive = sharing({
  place: drive.id,
  members: [
    member({
      computers: [
        { writer: 'aaaaaaaa', this: true, last: NOW - 12 * MINUTE },
        { writer: 'bbbbbbbb', this: false, last: NOW - 3 * HOUR },
      ],
    }),
    member({
      folder: 'did_plc_b',
      did: 'did:plc:b',
      handle: 'bob.test',
      kept_here: false,
      last_backup: NOW - 5 * HOUR,
      bytes: 31e9,
      computers: [{ writer: 'cccccccc', this: false, last: NOW - 5 * HOUR }],
    }),
    member({
      folder: 'did_plc_c',
      did: 'did:plc:c',
      handle: 'carol-and-the-very-long-handle-of-hers.pottery.example',
      kept_here: false,
      last_backup: NOW - 26 * HOUR,
      bytes: 2.4e9,
      computers: [{ writer: 'dddddddd', this: false, last: NOW - 26 * HOUR }],
    }),
  ],
  room: {
    used: 34.2e9,
    free: 1.24e12,
    share: 424e9,
    share_set: false,
    full_in: 420,
    state: 'enough',
  },
});

const notThere = problem('needs_you', {
  code: 'place_missing',
  actions: ['try_again'],
});

export const familyScenes = {
  'family-page': {
    at: `#/places/${drive.id}/family`,
    answers: answers([well], {
      places: { value: [place, drive] },
      family: { value: onDrive },
    }),
  },
  'family-page-troubled': {
    at: `#/places/${drive.id}/family`,
    answers: answers([well], {
      places: { value: [place, drive] },
      family: {
        value: {
          ...onDrive,
          away: true,
          read: NOW - 2 * DAY,
          members: [
            onDrive.members[0],
            {
              ...onDrive.members[1],
              late: 'month',
              last_backup: NOW - 41 * DAY,
              over_share: true,
              bytes: 190e9,
              disbelieved: 2,
            },
            {
              ...onDrive.members[2],
              did: null,
              handle: null,
              late: 'unknown',
              last_backup: null,
              computers: [],
            },
          ],
          room: {
            ...onDrive.room,
            free: 60e9,
            share: 84e9,
            share_set: true,
            full_in: 24,
            state: 'soon',
          },
        },
      },
    }),
  },
  'family-page-changed': {
    at: `#/places/${drive.id}/family`,
    answers: answers([well], {
      places: { value: [place, drive] },
      family: {
        value: {
          ...onDrive,
          members: [
            onDrive.members[0],
            {
              ...onDrive.members[1],
              watched: NOW - 2 * HOUR,
              findings: [
                { at: NOW - 12 * DAY, what: 'handle', now: 'bob.test' },
                { at: NOW - 9 * HOUR, what: 'recovery_keys', now: null },
                { at: NOW - 8 * HOUR, what: 'host', now: 'https://harvest.example' },
              ],
            },
            { ...onDrive.members[2], watched: NOW - 2 * HOUR },
          ],
        },
      },
    }),
  },
  'family-page-leave': {
    at: `#/places/${drive.id}/family`,
    answers: answers([well], { places: { value: [place, drive] }, family: { value: onDrive } }),
    before: async (page, say) => {
      await page.getByRole('button', { name: say('family.leave') }).click();
      await page.getByRole('dialog').waitFor();
    },
  },
  'family-page-only': {
    at: `#/places/${drive.id}/family`,
    answers: answers([well], {
      places: { value: [place, drive] },
      family: { value: onDrive },
      leave_place: { refused: problem('needs_you', { code: 'only_there' }) },
    }),
    before: async (page, say) => {
      await page.getByRole('button', { name: say('family.leave') }).click();
      await page
        .getByRole('dialog')
        .getByRole('button', { name: say('family.leave_now') })
        .click();
      await page.getByText(say('family.only_now')).waitFor();
    },
  },
  'family-page-taken': {
    at: `#/places/${drive.id}/family`,
    answers: answers([well], {
      places: { value: [place, drive] },
      family: {
        value: { ...onDrive, members: [{ ...onDrive.members[0], left: true }, ...onDrive.members.slice(1)] },
      },
      'plugin:dialog|open': { value: '/media/alice/stick' },
      take_along: {
        value: { folder: '/media/alice/stick', snapshots: 214, bytes: 843_112_004, left_behind: 1 },
      },
    }),
    before: async (page, say) => {
      await page
        .getByRole('button', { name: say('family.take') })
        .first()
        .click();
      await page.getByText(say('family.left_behind', { count: 1 })).waitFor();
    },
  },
  'family-page-unread': {
    at: `#/places/${drive.id}/family`,
    answers: answers([well], {
      places: { value: [place, drive] },
      family: { refused: notThere },
    }),
  },
};
