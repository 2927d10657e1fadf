import { expect, test } from 'vitest';
import { place } from '../../test/made-up';
import { standingOfPlaces, stateOfPlace } from './places';

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
  check([], 'needs', 'There is no place for backups yet.', 'Choose a folder, or connect a drive.');
});

test('a place that is in use says so, and a drive that it stays plugged in', () => {
  expect(stateOfPlace(place())).toBe('Ready for backups');
  expect(stateOfPlace(place({ busy: true }))).toBe('Backups are being read or written right now.');
  expect(stateOfPlace({ ...drive, busy: true })).toBe('In use right now. Leave it plugged in for now.');
  expect(stateOfPlace({ ...drive, busy: true, state: 'full' })).toBe('No room left');
});
