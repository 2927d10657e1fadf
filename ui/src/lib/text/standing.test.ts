// What is said of an account must be true: these are the sentences, word for word.

import { expect, test } from 'vitest';
import type { Account } from '$lib/bindings';
import { account, kept, MINUTE, nothing, NOW, problem, progress } from '../../test/made-up';
import { standing, standingOfAll, toneOf } from './standing';

function check(given: Partial<Account>, tone: string, headline: string, ...details: string[]) {
  const said = standing(account({ next_due: null, ...given }), NOW);
  expect(said).toEqual({ tone, headline, details });
}

const HERE = 'Last checked 12 minutes ago, on this computer only.';

test('kept, on this computer only', () => check({}, 'safe', 'Your posts are kept.', HERE));

test('kept in two places', () =>
  check(
    { kept: kept({ places: 2, this_computer_only: false }) },
    'safe',
    'Your posts are kept.',
    'Last checked 12 minutes ago, in 2 places.',
  ));

test('captured, but not yet in any place', () =>
  check(
    { kept: kept({ places: 0 }) },
    'safe',
    'Your posts are kept.',
    'Last checked 12 minutes ago. The copy waits on this computer until its place is back.',
  ));

test('taken in from elsewhere, and never checked', () => {
  const taken = kept({ state: 'stale', last_checked: null, last_snapshot: Date.UTC(2025, 4, 12, 12) });
  const headline = 'Your posts are kept, but not the newest ones.';
  const said = standing(account({ kept: taken, next_due: null }), NOW);
  expect([said.tone, said.headline]).toEqual(['needs', headline]);
  expect(said.details).toEqual([
    expect.stringMatching(/^As it was on May 12, 2025 at .+\. It has not been compared with the host since\.$/),
  ]);
  // While a run is under way it is being compared.
  expect(standing(account({ kept: taken, next_due: null, run: progress() }), NOW).details).toEqual([]);
  expect(standing(account({ kept: { ...taken, state: 'unseen' }, next_due: null }), NOW).details).toEqual([]);
});

test('what held it is not what it was', () => {
  const posts = 'Your posts are kept, but your pictures and videos cannot be found.';
  check({ kept: kept({ state: 'media_unseen', places: 0 }) }, 'needs', posts);
  check({ kept: kept({ state: 'unseen', places: 0 }) }, 'danger', 'Your backups cannot be found.');
  expect(toneOf(account({ kept: kept({ state: 'unseen', places: 0 }) }))).toBe('danger');
});

test('posts are there, media are coming', () =>
  check(
    { kept: kept({ state: 'posts_only', media_pending: 216 }), run: progress() },
    'accent',
    'Your posts are kept.',
    HERE,
    '216 pictures or videos are still to come.',
  ));

test('older than it should be is never green', () =>
  check({ kept: kept({ state: 'stale' }) }, 'needs', 'Your posts are kept, but not the newest ones.', HERE));

test('what is kept for somebody else is said to be theirs', () => {
  const theirs = (given: Partial<Account>, headline: string) =>
    expect(standing(account({ whose: 'theirs', ...given }), NOW).headline).toBe(headline);
  theirs({}, 'The posts of alice.test are kept.');
  theirs({ handle: null }, 'The posts of Alice are kept.');
  theirs({ kept: kept({ state: 'stale' }) }, 'The posts of alice.test are kept, but not the newest ones.');
  theirs({ kept: kept({ state: 'unseen' }) }, 'The backups of alice.test cannot be found.');
  theirs({ kept: nothing }, 'Nothing is kept yet.');
  theirs({ kept: nothing, run: progress() }, 'The first backup of alice.test is under way.');
  const waiting = { reason: 'host', since: NOW - 60 * MINUTE, until: NOW + 30 * MINUTE } as const;
  const said = standing(account({ whose: 'theirs', waiting }), NOW);
  expect(said.details.at(-1)).toMatch(/^The host of alice.test has not answered since /);
});

test('nothing yet is never green, and promises nothing', () =>
  check({ kept: nothing }, 'plain', 'Nothing is kept yet.'));

test('the first backup', () =>
  check(
    { kept: nothing, run: progress() },
    'accent',
    'Your first backup is under way.',
    'You can close this window meanwhile. Skykeep goes on by itself.',
  ));

test('what comes next', () => {
  check({ next_due: NOW - 1 }, 'safe', 'Your posts are kept.', HERE, 'Next check in a moment.');
  check({ waiting: { reason: 'network' } }, 'safe', 'Your posts are kept.', HERE,
    'This computer is offline. Skykeep goes on when the network is back.'); // prettier-ignore
  check({ waiting: { reason: 'place' } }, 'safe', 'Your posts are kept.', HERE,
    'There is no place for backups yet. Skykeep goes on as soon as there is one.'); // prettier-ignore
  const said = standing(
    account({ waiting: { reason: 'host', since: NOW - 60 * MINUTE, until: NOW + 30 * MINUTE } }),
    NOW,
  );
  expect(said.details.at(-1)).toMatch(/^Your host has not answered since \S+.* Skykeep asks again at \S+/);
});

test('in a list, the most urgent thing decides', () => {
  expect(toneOf(account())).toBe('safe');
  expect(toneOf(account({ run: progress() }))).toBe('accent');
  expect(toneOf(account({ problems: [problem('note')] }))).toBe('safe');
  expect(toneOf(account({ problems: [problem('needs_you')], run: progress() }))).toBe('needs');
  expect(toneOf(account({ problems: [problem('needs_you'), problem('danger')] }))).toBe('danger');
});

test('all accounts in one sentence', () => {
  const all = (...accounts: Account[]) => standingOfAll(accounts, NOW);
  expect(all(account(), account())).toEqual({
    tone: 'safe',
    headline: 'All 2 accounts are kept.',
    details: ['Oldest check: 12 minutes ago.'],
  });
  expect(all(account(), account({ kept: nothing }))).toEqual({
    tone: 'plain',
    headline: '1 of 2 accounts are kept.',
    details: [],
  });
  expect(all(account(), account({ problems: [problem('danger')] }))).toEqual({
    tone: 'danger',
    headline: '1 account needs you.',
    details: ['All 2 accounts are kept.', 'Oldest check: 12 minutes ago.'],
  });
});
