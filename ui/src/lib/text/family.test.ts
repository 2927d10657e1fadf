import { expect, test } from 'vitest';
import type { Finding } from '$lib/bindings';
import { family, member, NOW } from '../../test/made-up';
import { computersOf, found, fullIn, isAlarm, standingOfFamily, standingOfMember, usedBy } from './family';

const DAY = 24 * 60 * 60 * 1000;
const bob = member({ did: 'did:plc:b', folder: 'did_plc_b', handle: 'bob.test', kept_here: false });
const late = { ...bob, late: 'week' as const, last_backup: NOW - 9 * DAY };
const someone = { ...bob, did: null, handle: null, late: 'unknown' as const, last_backup: null };
const room = family().room;

function check(given: Parameters<typeof family>[0], tone: string, headline: string | RegExp, ...details: RegExp[]) {
  const standing = standingOfFamily(family(given), NOW);
  expect([standing.tone, standing.headline]).toEqual([tone, expect.stringMatching(headline)]);
  expect(standing.details).toEqual(details.map((detail) => expect.stringMatching(detail) as string));
}

test('everyone in one line', () => {
  check({ members: [member(), bob] }, 'safe', 'All 2 accounts on Family drive are backed up.', /^Read from .* at 2:11/);
  check({ members: [] }, 'plain', /^Nobody keeps backups/, /first one/, /^Read/);
  check({ members: [member(), late] }, 'needs', /^1 account on Family drive was not backed up/, /^Read/);
  check({ members: [member(), someone] }, 'needs', /^When 1 account .* cannot be told/, /^Read/);
  // Who is late matters more than who cannot be told.
  check({ members: [late, someone] }, 'needs', /^1 account on Family drive was not backed up/, /^Read/);
});

test('a change of an identity comes first while it can be undone, and is told later', () => {
  const HOUR = 60 * 60 * 1000;
  const changed = (what: Finding['what'], hours: number, now: string | null = null): Finding => ({
    at: NOW - hours * HOUR,
    what,
    now,
  });
  const with_ = (...findings: Finding[]) => ({ ...late, findings });
  check({ members: [member(), with_(changed('key', 71))] }, 'needs', /^The identity of 1 account/, /^Read/);
  check({ members: [with_(changed('key', 73), changed('handle', 1))] }, 'needs', /was not backed up/, /^Read/);
  const alarms = (['host', 'handle', 'key', 'recovery_keys', 'ended', 'undone', 'rewritten'] as const).map((what) =>
    isAlarm(changed(what, 1), NOW),
  );
  expect(alarms).toEqual([true, false, true, true, true, true, true]);
  expect(found(changed('host', 1, 'https://two.example'), NOW)).toMatch(/another host, https:\/\/two.example/);
  expect(found(changed('handle', 1, 'bob.example'), NOW)).toMatch(/took the handle bob.example at/);
  expect(found(changed('handle', 1), NOW)).toMatch(/lost its handle/);
  expect(found(changed('recovery_keys', 1), NOW)).toMatch(/keys that may change this identity were changed/);
});

test('a place that is away is spoken of as it was, and is not called safe', () => {
  check({ away: true, read: NOW - 3 * DAY }, 'plain', /^The account/, /not connected. This is how it was on 19 November|November 19/); // prettier-ignore
});

test('a place that fills up needs somebody, however well everyone is', () => {
  check({ room: { ...room, state: 'little' } }, 'needs', /^The account/, /Less than a tenth/, /^Read/);
  check({ room: { ...room, state: 'soon' } }, 'needs', /^The account/, /full soon/, /^Read/);
});

test('how each fares', () => {
  const of = (who: ReturnType<typeof member>) => Object.values(standingOfMember(who, NOW));
  expect(of(member())).toEqual(['safe', 'Backed up within the last week']);
  expect(of(late)).toEqual(['needs', 'Not backed up for 9 days.']);
  expect(of({ ...late, late: 'month', last_backup: NOW - 31 * DAY })[1]).toMatch(/^Not backed up for 31 days. Ask/);
  expect(of(someone)[1]).toMatch(/^None of their backups can be read/);
  expect(of({ ...someone, did: 'did:plc:b' })[1]).toMatch(/clock is off/);
});

test('what is used is said beside a fair share', () => {
  expect(usedBy(member(), room)).toBe('843 MB; a fair share is 70 GB');
  expect(usedBy(member(), { ...room, share: null })).toBe('843 MB');
  expect(usedBy(member({ over_share: true }), room)).toMatch(/more than a fair share of 70 GB. Backups go on/);
});

test('a forecast is as exact as it is worth', () => {
  const said = [1, 29, 59, 60, 151, 729, 730].map(fullIn);
  expect(said.map((text) => text.replace('At this pace full in about ', ''))).toEqual([
    '1 day', '29 days', '59 days', '2 months', '5 months', '24 months', '2 years',
  ]); // prettier-ignore
});

test('computers are counted, and this one is named', () => {
  const other = { writer: 'b', this: false, last: NOW };
  expect(computersOf(member())).toEqual(['this computer']);
  expect(computersOf({ ...member(), computers: [other, ...member().computers, { ...other, writer: 'c' }] })).toEqual([
    'this computer',
    '2 other computers',
  ]);
  expect(computersOf({ ...member(), computers: [] })).toEqual([]);
});
