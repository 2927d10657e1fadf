import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Preferences as Chosen } from '$lib/bindings';
import { language } from '$lib/text/language.svelte';
import { clearMocks, engine, refuse } from '../../test/engine';
import { preferences as made, problem } from '../../test/made-up';
import { remembered } from './look';
import { Preferences } from './preferences.svelte';

let saved: Chosen;
let refused: (keyof Chosen)[];

beforeEach(() => {
  saved = made();
  refused = [];
  localStorage.clear();
  engine({
    preferences: () => saved,
    set_preferences: (question) => {
      const wished = question.preferences as Chosen;
      if (refused.some((name) => wished[name] !== saved[name])) refuse(problem('needs_you', { code: 'setting_wrong' }));
      saved = wished;
    },
  });
});
afterEach(clearMocks);

async function loaded(): Promise<Preferences> {
  const preferences = new Preferences();
  await preferences.load();
  return preferences;
}

test('a choice is shown and saved at once; the others stay', async () => {
  const preferences = await loaded();
  const saving = preferences.choose('every_minutes', 15);
  expect(preferences.all?.every_minutes).toBe(15);
  await saving;
  expect(saved).toEqual({ ...made(), every_minutes: 15 });
});

test('two choices at once are both saved', async () => {
  const preferences = await loaded();
  await Promise.all([preferences.choose('every_minutes', 15), preferences.choose('tell_places', false)]);
  expect(saved).toEqual({ ...made(), every_minutes: 15, tell_places: false });
});

test('what is refused leaves what was, and says why beside it until the next choice', async () => {
  const preferences = await loaded();
  refused = ['plc_url'];
  await preferences.choose('plc_url', 'nonsense');
  expect(preferences.all?.plc_url).toBeNull();
  expect(preferences.refused.plc_url?.code).toBe('setting_wrong');
  await preferences.choose('every_minutes', 15);
  expect([saved.every_minutes, saved.plc_url]).toEqual([15, null]);
  expect(preferences.refused.plc_url).toBeDefined();
  refused = [];
  await preferences.choose('plc_url', 'https://plc.example');
  expect(preferences.refused.plc_url).toBeUndefined();
});

test('the look is shown, and remembered for the next first picture', async () => {
  const preferences = await loaded();
  expect(document.documentElement.dataset.theme).toBe('light');
  await preferences.choose('appearance', 'dark');
  await preferences.choose('language', 'en');
  expect([document.documentElement.dataset.theme, language.locale]).toEqual(['dark', 'en']);
  expect(remembered()).toEqual({ language: 'en', appearance: 'dark' });
});

test.each(['', 'null', '{"appearance":"pink","language":3}', '{'])('what %j remembers is nothing', (text) => {
  localStorage.setItem('skykeep.look', text);
  expect(remembered()).toEqual({ language: null, appearance: 'system' });
});
