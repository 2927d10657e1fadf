// "You could get your account back" must never sound better than what was checked.

import { expect, test } from 'vitest';
import type { ReadyWhat } from '$lib/bindings';
import { account, kept, MINUTE, nothing, NOW, readiness } from '../../test/made-up';
import { readinessOf, readinessOfAll, readyTitle } from './readiness';

const lineOf = (what: ReadyWhat, given = account()) => readinessOf(given, NOW).lines.find((line) => line.what === what);

test('with everything but a recovery key, it goes while the host helps', () => {
  expect(readinessOf(account(), NOW)).toMatchObject({
    ready: 5,
    total: 6,
    answer: expect.stringMatching(/host helps/) as string,
  });
});

test('with anything else lacking, it is not said to go', () => {
  const said = readinessOf(account({ readiness: readiness(['fresh', 'recovery_key']) }), NOW);
  expect(said.answer).toMatch(/^Not with everything/);
  expect(said.ready).toBe(4);
});

test('nobody offers a button for what only a host can give', () => {
  expect(lineOf('recovery_key')).toMatchObject({ ready: false, remedy: undefined });
});

test.each<[ReadyWhat, string]>([
  ['fresh', 'back_up'],
  ['identity', 'back_up'],
  ['apart', 'add_place'],
  ['checked', 'check_files'],
])('%s is improved by %s, and by nothing once it is ready', (what, remedy) => {
  expect(lineOf(what, account({ readiness: readiness([what]) }))?.remedy).toBe(remedy);
  expect(lineOf(what)?.remedy).toBeUndefined();
});

test('media that the host no longer has are not promised by a button', () => {
  const lacking = { readiness: readiness(['media']) };
  expect(lineOf('media', account({ ...lacking, kept: kept({ media_missing: 2 }) }))?.remedy).toBeUndefined();
  expect(lineOf('media', account({ ...lacking, kept: kept({ media_pending: 2 }) }))?.remedy).toBe('back_up');
});

test('there is nothing to check before anything is kept', () => {
  const given = account({ kept: nothing, readiness: readiness(['checked']) });
  expect(lineOf('checked', given)?.remedy).toBeUndefined();
});

test('beside the check stands when a copy was read back', () => {
  const given = account({ readiness: { ...readiness(), read_back: NOW - 5 * MINUTE } });
  expect(lineOf('checked', given)?.detail).toBe('checked 12 minutes ago · a copy was read back whole 5 minutes ago');
  expect(lineOf('fresh', given)?.detail).not.toMatch('read back');
});

test('what was never checked is no warning and not green', () => {
  const given = account();
  const lines = given.readiness.lines.map((line) => ({ ...line, ready: false, since: null }));
  for (const line of readinessOf({ ...given, readiness: { lines, read_back: null } }, NOW).lines)
    expect(line.tone).toBe('plain');
});

test('for several accounts a line is ready when it is for each of them', () => {
  const said = readinessOfAll([account(), account({ readiness: readiness(['apart', 'recovery_key']) })], NOW);
  expect(said.ready).toBe(4);
  expect(said.lines.find(({ what }) => what === 'apart')).toMatchObject({
    ready: false,
    remedy: 'add_place',
    detail: 'ready for 1 of 2 accounts',
  });
  expect(said.lines.find(({ what }) => what === 'media')?.detail).toBe('20 of 20 · checked 12 minutes ago');
});

test("nobody is asked about somebody else's account as if it were theirs", () => {
  const [mine, theirs] = [account(), account({ whose: 'theirs' })];
  expect(readyTitle([mine])).toBe('Could you get your account back today?');
  expect(readyTitle([theirs])).toBe('Could they get their account back today?');
  expect(readyTitle([mine, mine])).toBe('Could you get your accounts back today?');
  for (const all of [
    [mine, theirs],
    [theirs, theirs],
  ]) {
    expect(readyTitle(all)).toBe('Could everyone get their account back today?');
  }
});
