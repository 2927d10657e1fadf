// Scenes of damage that no connected copy can put right: named by the posts and pictures it hurts.
import { account, answers, DAY, drive, NOW, place } from './made-up.mjs';

const folder = 'accounts/did_plc_ewvi7nxzyoun6zhxrhs64oiz';
const snapshots = ['2026-11-20T140003Z.kq3p.0000412.f3a1', '2026-11-21T150002Z.kq3p.0000431.9d07'];

const damage = (name, more) => ({
  name: `${folder}/${name}`,
  state: 'damaged',
  snapshots,
  what: 'other',
  record: null,
  hurt: [],
  hurt_more: 0,
  ...more,
});

const damaged = [
  damage('blobs/ku/bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku', {
    what: 'media',
    record: 'app.bsky.feed.post/3lbgyhsajdc2y',
    hurt: [{ text: 'The very first tomato of the year is red. One. I am ridiculously proud.', created: NOW - 3 * DAY }],
  }),
  damage('repo/9d07c1b8f8e2b1d0f3f9a1c2.car', {
    what: 'posts',
    hurt: [
      { text: 'Took the little ferry out one more time. Flat water, no wind, home before…', created: NOW - 30 * DAY },
      { text: 'Nobody told me that the ferry does not go on Sundays.', created: NOW - 35 * DAY },
    ],
    hurt_more: 1204,
  }),
  damage('blobs/zq/bafkreiabcdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyzq', {
    what: 'media',
    state: 'missing',
    record: 'app.bsky.feed.post/3kbgyhsajdc2y',
  }),
];

export const damageScenes = {
  'places-damaged': {
    at: '#/places',
    answers: answers([account], { places: { value: [place, { ...drive, damaged }] } }),
  },
};
