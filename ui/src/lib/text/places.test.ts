import { expect, test } from 'vitest';
import type { Damage } from '$lib/bindings';
import { MINUTE, NOW, place, tested } from '../../test/made-up';
import { meaningOf, readSoFar, standingOfPlaces, stateOfPlace } from './places';

const drive = place({ id: 'd', this_computer: false, removable: true });

function check(given: Parameters<typeof standingOfPlaces>[0], tone: string, headline: string, ...details: string[]) {
  expect(standingOfPlaces(given)).toEqual({ tone, headline, details });
}

test('places in one line', () => {
  check([place(), drive], 'safe', 'Your backups go to 2 places.');
  check([place()], 'safe', 'Your backups go to 1 place.', 'On this computer only. If its disk dies, this copy dies with it.'); // prettier-ignore
  check([place(), { ...drive, state: 'absent' }], 'safe', 'Your backups go to 2 places.', '1 is not connected at the moment.'); // prettier-ignore
  check([place(), { ...drive, busy: true }], 'safe', 'Your backups go to 2 places.', 'Backups are being read or written right now.'); // prettier-ignore
});

test('a full, locked or exchanged one needs a person, an absent one does not', () => {
  for (const state of ['full', 'read_only', 'other'] as const)
    check([{ ...drive, state }], 'needs', '1 place needs you.');
  check([{ ...drive, state: 'absent' }], 'plain', 'Your place is not connected.', 'Backups go on and wait on this computer until it is back.'); // prettier-ignore
  const damage: Damage = { name: 'x', state: 'damaged', snapshots: [], what: 'other', record: null };
  check([place(), { ...drive, damaged: [damage] }], 'needs', '1 place needs you.');
  check([], 'needs', 'There is no place for backups yet.', 'Choose a folder, or connect a drive.');
});

test('a place that is in use says so, and a drive that it stays plugged in', () => {
  expect(stateOfPlace(place())).toBe('Ready for backups');
  expect(stateOfPlace(place({ busy: true }))).toBe('Backups are being read or written right now.');
  expect(stateOfPlace({ ...drive, busy: true })).toBe('In use right now. Leave it plugged in for now.');
  expect(stateOfPlace({ ...drive, busy: true, state: 'full' })).toBe('No room left');
});

test('a bucket that does not answer is not unplugged, and one that refuses needs a person', () => {
  const bucket = place({ kind: 'bucket', this_computer: false });
  expect(stateOfPlace({ ...bucket, state: 'absent' })).toMatch(/^Cannot be reached/);
  expect(stateOfPlace({ ...bucket, state: 'refused' })).toMatch(/^The storage refuses/);
  check([{ ...bucket, state: 'refused' }], 'needs', '1 place needs you.');
});

test('how far a place was read again', () => {
  const reading = { since: NOW - 5 * MINUTE, bytes: 12_000_000, of_bytes: 48_000_000_000 };
  expect(readSoFar(reading, NOW)).toBe('12 MB of 48 GB since 5 minutes ago');
});

test('what a server can is said as what it means', () => {
  const can = tested().abilities;
  if (!can) throw new Error('it can something');
  const means = (more: Partial<typeof can>) => meaningOf({ ...can, ...more }).map(({ tone }) => tone);
  expect(meaningOf(null)).toEqual([]);
  expect(means({})).toEqual(['plain', 'needs']);
  expect(means({ deletes: false })).toEqual(['plain']);
  expect(means({ deletes: false, versioning: false })).toEqual(['plain', 'needs']);
  expect(means({ locked_days: 30 })).toEqual(['plain', 'safe']);
  expect(means({ versioning: false, locked_days: null })).toEqual(['plain']);
  expect(means({ encrypted: false, deletes: false })).toEqual(['needs', 'plain']);
});
