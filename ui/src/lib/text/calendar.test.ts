import { expect, test } from 'vitest';
import type { Cell } from '$lib/bindings';
import { cellWords, dayStarts, GROWTH_DAYS, hourStarts, isMixed, lookOf, stripWords, type Look } from './calendar';

const cell = (kept = 0, unchanged = 0, skipped = 0, failed = 0): Cell => ({ kept, unchanged, skipped, failed });

test('days begin at midnight here, whatever the clocks do, and the last one is today', () => {
  for (const month of [2, 3, 9, 10]) {
    const now = new Date(2026, month, 30, 14, 12).getTime();
    const days = dayStarts(now);
    expect(days).toHaveLength(56);
    for (const day of days) expect([new Date(day).getHours(), new Date(day).getMinutes()]).toEqual([0, 0]);
    expect(new Set(days).size).toBe(56);
    expect(new Date(days.at(-1) ?? 0).getDate()).toBe(30);
  }
});

test('growth is told by the same days, five years of them', () => {
  const now = new Date(2026, 10, 22, 14, 12).getTime();
  const days = dayStarts(now, GROWTH_DAYS);
  expect(days).toHaveLength(1827);
  expect(days.slice(-56)).toEqual(dayStarts(now));
  expect(days[0]).toBe(new Date(2021, 10, 22).getTime());
});

test('hours are full ones, and the last one is the one that it is', () => {
  const hours = hourStarts(new Date(2026, 10, 22, 14, 12).getTime());
  expect(hours).toHaveLength(24);
  expect(hours.at(-1)).toBe(new Date(2026, 10, 22, 14).getTime());
  expect((hours.at(-1) ?? 0) - (hours[0] ?? 0)).toBe(23 * 3_600_000);
});

test.each<[Cell, Look]>([
  [cell(), 'nothing'],
  [cell(1, 20, 1, 2), 'kept'],
  [cell(0, 1, 5, 5), 'unchanged'],
  [cell(0, 0, 1, 1), 'failed'],
  [cell(0, 0, 1), 'skipped'],
])('%o looks like %s', (given, look) => {
  expect(lookOf(given)).toBe(look);
});

test.each<[Cell, boolean]>([
  [cell(), false],
  [cell(1, 20), false],
  [cell(1, 20, 0, 1), true],
  [cell(0, 1, 0, 1), true],
  // Nothing went well there: that is a failure, and drawn as one.
  [cell(0, 0, 3, 2), false],
])('%o has a failure among what went well: %s', (given, mixed) => {
  expect(isMixed(given)).toBe(mixed);
});

test('a cell says everything that happened in it', () => {
  expect(cellWords(cell(1, 20, 0, 1))).toBe('1 backup kept something new, 20 found nothing new, 1 failed');
  expect(cellWords(cell())).toBe('no backup');
});

test('the strip is one sentence, and says nothing of what did not happen', () => {
  expect(stripWords([cell(1), cell(2), cell(0, 1), cell()], 'day')).toBe('Something new on 2 days, nothing new on 1.');
  expect(stripWords([cell(0, 1), cell(0, 0, 0, 1)], 'hour')).toBe('Nothing new in 1, failed in 1.');
  expect(stripWords([cell(1), cell(1, 0, 0, 1), cell(0, 2, 0, 3)], 'day')).toBe(
    'Something new on 2 days, nothing new on 1, failed at times on 2.',
  );
  expect(stripWords([cell()], 'day')).toBe('No backup in this time.');
});
