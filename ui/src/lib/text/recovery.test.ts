import { expect, test } from 'vitest';
import { account, kept, nothing, readiness } from '../../test/made-up';
import { extentWords } from './extent';
import { recoveryAnswer } from './recovery';

test('nobody is told that an account could be got back while the host holds the only key', () => {
  expect(recoveryAnswer([])).toMatchObject({ tone: 'plain', hostHoldsKey: false });
  expect(recoveryAnswer([account()])).toEqual({
    tone: 'needs',
    headline: 'Your posts are in your hands. Your account is in your host\'s.',
    hostHoldsKey: true,
  }); // prettier-ignore
  expect(recoveryAnswer([account({ readiness: readiness([]) })])).toMatchObject({ tone: 'safe', hostHoldsKey: false });
  const theirs = account({ whose: 'theirs' });
  expect(recoveryAnswer([theirs])).toEqual({
    tone: 'needs',
    headline: "What you keep for others is in your hands. Their accounts are in their hosts'.",
    hostHoldsKey: false,
  });
  expect(recoveryAnswer([theirs, account()]).headline).toMatch(/^Your posts are in your hands/);
  const mixed = [account({ readiness: readiness([]) }), account()];
  expect(recoveryAnswer(mixed)).toMatchObject({ tone: 'needs', hostHoldsKey: true });
});

test.each([nothing, kept({ state: 'stale' }), kept({ state: 'unseen' }), kept({ state: 'media_unseen' })])(
  'nor that posts are in their hands while they are %o',
  (state) => {
    expect(recoveryAnswer([account({ kept: state })]).headline).toBe('Not everything is kept yet.');
  },
);

test('how much there is to keep is said as far as it is known, and roughly', () => {
  const none = { records: null, media: null, media_more: false, bytes: null, seconds: null };
  expect(extentWords(undefined)).toBe('Asking how much there is to keep…');
  expect(extentWords(null)).toMatch('could not be found out');
  expect(extentWords(none)).toMatch('could not be found out');
  expect(extentWords({ ...none, records: 12_840 })).toBe(
    'There is about this much to keep: 13,000 posts, likes and follows.',
  );
  expect(extentWords({ records: 1, media: 1000, media_more: true, bytes: 4_000_000, seconds: 50 })).toBe(
    'There is about this much to keep: 1 post, like or follow, more than 1,000 pictures and videos, and 4 MB in all. A first backup takes about 50 seconds. Posts come first.',
  );
});
