import { expect, test } from 'vitest';
import { differences, readMessages } from './text.mjs';

const english = readMessages(
  '[tray]\nopen = "x"\n[window.a]\nb = "{n} of {m}"\nc = { one = "{count} day", other = "{count} days" }',
);

test('the window reads its own table, flat', () => {
  expect(english).toEqual({ 'a.b': '{n} of {m}', 'a.c': { one: '{count} day', other: '{count} days' } });
});

test('a table that only has a key named other is not a plural', () => {
  expect(readMessages('[window.a]\nother = "x"\ntitle = "y"')).toEqual({ 'a.other': 'x', 'a.title': 'y' });
});

test('what is no text is refused', () => {
  expect(() => readMessages('[window]\na = 1')).toThrow('a is no text');
});

test.each([
  ['b = "{m} {n}"\nc = { other = "{count}" }', []],
  ['b = "{n}"\nc = { other = "{count}" }', ['a.b is filled in with {n}, not {m, n}']],
  ['b = "{m} {n}"', ['a.c is missing']],
  ['b = "{m} {n}"\nc = "x"', ['a.c has plural forms in one and not in the other']],
  ['b = "{m} {n}"\nc = { other = "{count}" }\nd = ""', ['a.d is in no other locale']],
])('a translation %j', (toml, found) => {
  expect(differences(english, readMessages(`[window.a]\n${toml}`))).toEqual(found);
});
