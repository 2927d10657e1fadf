import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { differences, readMessages, writeMessages } from './text.mjs';

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

const both = 'c = { one = "{count}", other = "{count}" }';
test.each([
  [`b = "{m} {n}"\n${both}`, []],
  [`b = "{n}"\n${both}`, ['a.b is filled in with {n}, not {m, n}']],
  ['b = "{m} {n}"', ['a.c is missing']],
  ['b = "{m} {n}"\nc = "x"', ['a.c has plural forms in one and not in the other']],
  [`b = "{m} {n}"\n${both}\nd = ""`, ['a.d is in no other locale']],
])('a translation %j', (toml, found) => {
  expect(differences(english, readMessages(`[window.a]\n${toml}`), 'de')).toEqual(found);
});

test.each([
  ['ja', 'other', []],
  ['ja', 'one other', ['a.c has the plural form one, which ja does not use']],
  ['de', 'other', ['a.c lacks the plural form one']],
  // The form "many" of Portuguese is for millions: allowed, not asked for.
  ['pt-BR', 'one other', []],
  ['pt-BR', 'one many other', []],
  ['pl', 'one few many other', []],
  ['pl', 'one other', ['a.c lacks the plural form many', 'a.c lacks the plural form few']],
])('plural forms of %s: %s', (locale, forms, found) => {
  const table = forms.split(' ').map((form) => `${form} = "{count}"`);
  const translation = readMessages(`[window.a]\nb = "{n} {m}"\nc = { ${table.join(', ')} }`);
  expect(differences(english, translation, locale)).toEqual(found);
});

let folder = '';
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

function write(files: Record<string, string>): (name: string) => string {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'skykeep-text-'));
  for (const [name, toml] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), toml);
  writeMessages(folder, path.join(folder, 'made'));
  return (name) => fs.readFileSync(path.join(folder, 'made', name), 'utf8');
}

test('each locale is a module of its own, loaded when it is spoken', () => {
  const made = write({ 'en.toml': '[window]\na = "Yes"', 'pt-BR.toml': '[window]\na = "Sim"' });
  expect(made('index.ts')).toContain(`'pt-BR': () => import('./pt-BR')`);
  expect(made('en.ts')).toContain('"a": "Yes"');
  expect(made('pt-BR.ts')).toContain('"a": "Sim"');
  expect(made('pt-BR.ts')).not.toContain('Yes');
});

test('a locale that lacks a message, or fills it in with something else, stops the build', () => {
  expect(() => write({ 'en.toml': '[window]\na = "Yes"', 'de.toml': '[window]' })).toThrow('de.toml: a is missing');
  expect(() => write({ 'en.toml': '[window]\na = "{n}"', 'de.toml': '[window]\na = "{m}"' })).toThrow(
    'de.toml: a is filled in with {m}, not {n}',
  );
});
