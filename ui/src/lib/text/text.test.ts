import { describe, expect, test } from 'vitest';
import { t } from '.';
import { ago, at, dated, day, duration, moment, size } from './format';

const NOW = new Date(2026, 10, 22, 14, 12).getTime();
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

test('a message is filled in, and counts choose its form', () => {
  expect(t('found.host', { host: 'pds.example' })).toBe('Lives at pds.example');
  expect(t('account.media', { count: 1 })).toBe('1 picture or video');
  expect(t('account.media', { count: 12_840 })).toBe('12,840 pictures and videos');
});

test.each([
  [0, 'just now'],
  [-5 * MINUTE, 'just now'],
  [59_000, 'just now'],
  [12 * MINUTE, '12 minutes ago'],
  [59 * MINUTE, '59 minutes ago'],
  [HOUR, '1 hour ago'],
  [23 * HOUR, '23 hours ago'],
  [DAY, 'yesterday'],
  [9 * DAY, '9 days ago'],
])('%d ms ago is said as %s', (past, words) => {
  expect(ago(NOW - past, NOW)).toBe(words);
});

// Spaces and the order of day and month are the region's; what matters is which day is named.
const plain = (text: string) => text.replace(/\s+/g, ' ');

describe('a moment is named by its day', () => {
  test.each([
    [NOW + 48 * MINUTE, /^at (15:00|3:00 PM)$/],
    [NOW - 15 * HOUR, /^yesterday at (23:12|11:12 PM)$/],
    [NOW + 10 * HOUR, /^tomorrow at (00:12|12:12 AM)$/],
    [NOW - 12 * DAY, /^on (10 November|November 10,) 2026 at /],
  ])('%d', (time, words) => {
    expect(plain(at(time, NOW))).toMatch(words);
  });

  test('since when', () => {
    expect(plain(moment(NOW - HOUR, NOW))).toMatch(/^(13:12|1:12 PM)$/);
    expect(plain(moment(NOW - DAY, NOW))).toMatch(/^yesterday at /);
    expect(plain(dated(NOW - HOUR, NOW))).toMatch(/^today at (13:12|1:12 PM)$/);
    expect(plain(dated(NOW - DAY, NOW))).toMatch(/^yesterday at /);
  });

  test('in a list', () => {
    expect(day(NOW, NOW)).toBe('Today');
    expect(day(NOW - DAY, NOW)).toBe('Yesterday');
    expect(day(NOW - 5 * DAY, NOW)).toMatch(/^Tuesday/);
    expect(day(NOW - 400 * DAY, NOW)).toMatch(/2025/);
  });
});

test.each([
  [0, '0 bytes'],
  [1, '1 byte'],
  [999, '999 bytes'],
  [1200, '1.2 kB'],
  [34_000_000, '34 MB'],
  [843_112_004, '843 MB'],
  [1_240_000_000, '1.2 GB'],
])('%d bytes are %s', (bytes, words) => {
  expect(size(bytes)).toBe(words);
});

test.each([
  [3, '10 seconds'],
  [41, '50 seconds'],
  [61, '2 minutes'],
  [3400, '1 hour'],
  [4000, '2 hours'],
])('an estimate of %d seconds is %s', (seconds, words) => {
  expect(duration(seconds)).toBe(words);
});
