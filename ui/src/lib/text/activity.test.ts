import { expect, test } from 'vitest';
import type { Run, RunEnd } from '$lib/bindings';
import { ALICE, MINUTE, NOW, problem } from '../../test/made-up';
import { activity } from './activity';

const BOB = 'did:plc:bbbbbbbbbbbbbbbbbbbbbbbb';
const quiet: RunEnd = { outcome: 'completed', changed: false };
const news: RunEnd = { outcome: 'completed', changed: true };

/** Runs a minute apart, newest first, as lines. */
function told(...ends: [string, RunEnd][]): [string, string, string | undefined][] {
  const runs = ends.map(([did, end], n): Run => {
    const ended = NOW - (n + 1) * MINUTE;
    return { did, end, ended, began: ended - 5000 };
  });
  return activity(runs, NOW, 6).map(({ words, tone, did }) => [words, tone, did]);
}

test('runs that found nothing new are told together', () => {
  expect(told([ALICE, quiet], [ALICE, quiet], [ALICE, news], [ALICE, quiet])).toEqual([
    ['Checked 2 times, nothing new', 'safe', ALICE],
    ['Something new was kept', 'safe', ALICE],
    ['Checked, nothing new', 'safe', ALICE],
  ]);
  expect(told([ALICE, quiet], [BOB, quiet], [ALICE, quiet])).toEqual([
    ['Checked 3 times in 2 accounts, nothing new', 'safe', undefined],
  ]);
});

test('what went wrong is told in its own words', () => {
  expect(
    told(
      [ALICE, { outcome: 'failed', problem: problem('danger') }],
      [ALICE, { outcome: 'failed', problem: problem('note') }],
      [ALICE, { outcome: 'skipped', why: problem('note', { happened: 'The drive was away.' }) }],
      [ALICE, { outcome: 'stopped' }],
    ),
  ).toEqual([
    ['It happened.', 'danger', ALICE],
    ['It happened.', 'needs', ALICE],
    ['The drive was away.', 'plain', ALICE],
    ['Stopped by you', 'plain', ALICE],
  ]);
});

test('a long past is cut', () => {
  expect(told(...Array.from({ length: 20 }, (): [string, RunEnd] => [ALICE, news]))).toHaveLength(6);
  expect(told()).toEqual([]);
});
