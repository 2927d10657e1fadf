import { expect, test } from 'vitest';
import { progress, snapshot } from '../../test/made-up';
import { progressWords, share } from './progress';
import { nameOfRecord, timeOfTid } from './records';
import { news, whyMissing } from './snapshots';

const missing = [{ cid: 'bafkrei', record: 'app.bsky.feed.post/3lbgyhsajdc2y', reason: 'gone' }];

test('the first one says what is in it', () => {
  expect(news(snapshot(), undefined)).toEqual(['First backup', '2 posts', '1 other record']);
});

test('a later one says what came and went', () => {
  const later = snapshot({
    collections: [
      { collection: 'app.bsky.feed.post', records: 5 },
      { collection: 'app.bsky.feed.like', records: 1 },
    ],
    media: 9,
  });
  expect(news(later, snapshot())).toEqual(['+3 posts', '+1 like', '−1 other record', '−1 picture or video']);
});

test('one without a difference says so', () => {
  expect(news(snapshot({ unchanged: true }), snapshot())).toEqual(['Nothing new, checked again']);
  expect(news(snapshot(), snapshot())).toEqual(['Changed without a difference in number']);
});

test('cautions are said when they are news', () => {
  const lacking = snapshot({ media_missing: missing, unchanged: true });
  expect(news(lacking, snapshot())).toContain('1 picture or video missing');
  expect(news(lacking, lacking)).toEqual(['Nothing new, checked again']);
  expect(news(snapshot({ pinned: true, media_pending: 3 }), snapshot())).toEqual([
    'Changed without a difference in number',
    '3 pictures and videos were still to come',
    'Held on to, because much was gone after it',
  ]);
});

test('why something is missing is said in words, whatever the reason is called', () => {
  expect(whyMissing('not_found')).toBe('the host does not have it');
  expect(whyMissing('not_in_import')).toBe('it was not in what was imported');
  expect(whyMissing('gone')).toBe('it could not be had');
});

test('a record is named by its kind and day', () => {
  expect(nameOfRecord('app.bsky.feed.post/3lbgyhsajdc2y')).toMatch(/^A post of .*November.* 2024|^A post of .*2024/);
  expect(nameOfRecord('app.bsky.actor.profile/self')).toBe('The profile');
  expect(nameOfRecord('nonsense')).toBe('A record');
});

test('a TID is a time', () => {
  const letters = '234567abcdefghijklmnopqrstuvwxyz';
  const made = Date.UTC(2024, 10, 21, 9, 30);
  let value = (BigInt(made) * 1000n) << 10n;
  let tid = '';
  for (let i = 0; i < 13; i++, value >>= 5n) tid = (letters[Number(value & 31n)] ?? '') + tid;
  expect(timeOfTid(tid)).toBe(made);
  expect(timeOfTid('self')).toBeUndefined();
  expect(timeOfTid('zzzzzzzzzzzzz')).toBeUndefined();
});

test('progress says what is known and nothing else', () => {
  const check = (given: Parameters<typeof progress>[0], words: string) =>
    expect(progressWords(progress(given))).toBe(words);
  check(
    { items: 120, items_total: 312, bytes: 34e6, bytes_total: 80e6, seconds_left: 95 },
    '120 of 312 pictures and videos · 34 MB of 80 MB · about 2 minutes left',
  );
  check({ phase: 'fetching', items: 0, items_total: null, bytes: 3_200_000 }, '3.2 MB');
  check({ phase: 'asking', items: 0, items_total: null, bytes: 0 }, '');
  check({ phase: 'delivering', items: 3, items_total: 7, bytes: 0 }, '3 of 7 files');
  check({ items: 1, items_total: null, bytes: 0, seconds_left: 2 }, '1 done · a few seconds left');
});

test('a bar measures bytes where it can, else items, else nothing', () => {
  expect(share(progress({ bytes: 5, bytes_total: 10 }))).toEqual({ value: 5, total: 10 });
  expect(share(progress({ bytes_total: null }))).toEqual({ value: 1, total: 2 });
  expect(share(progress({ bytes_total: null, items_total: null })).total).toBeNull();
});
