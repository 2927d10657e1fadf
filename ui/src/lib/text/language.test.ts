import { render, screen } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, describe, expect, test } from 'vitest';
import ToneIcon from '$lib/components/ToneIcon.svelte';
import { t, type TextKey } from '.';
import { ago, list, size } from './format';
import { language, locales, localeFor, ownName, regionOf, type Words } from './language.svelte';

const english = language.words as Words;

/** Speaks a made-up language: every message is its own English one with marks around it. */
function speak(locale: string, more: Partial<Words> = {}): void {
  const marked = Object.entries(english).map(([key, text]) => [key, typeof text === 'string' ? `‹${text}›` : text]);
  language.use(locale, { ...(Object.fromEntries(marked) as Words), ...more });
}

afterEach(() => language.use('en', english));

describe('the language that suits a system', () => {
  const offered = ['de', 'en', 'ja', 'pt-BR'];
  test.each([
    [['pt-BR', 'en'], 'pt-BR'],
    [['pt-PT'], 'pt-BR'],
    [['DE-at', 'en'], 'de'],
    [['nl', 'ja-JP', 'en'], 'ja'],
    [['nl', 'en-GB', 'de'], 'en'],
    [['nl'], 'en'],
    [[], 'en'],
  ])('%j is spoken to in %s', (wishes, locale) => {
    expect(localeFor(wishes, offered)).toBe(locale);
  });

  test('a region of the same language decides how dates are written', () => {
    expect(regionOf('en', ['de-DE', 'en-GB'])).toBe('en-GB');
    expect(regionOf('en', ['de-DE'])).toBe('en');
    expect(regionOf('pt-BR', ['pt-PT'])).toBe('pt-BR');
  });
});

test('a language is called as it calls itself', () => {
  expect(ownName('de')).toBe('Deutsch');
  expect(ownName('pt-BR')).toMatch(/^Português/);
  expect(ownName('ja')).toBe('日本語');
});

test('English is among what can be spoken, and what is not is not spoken', async () => {
  expect(locales).toContain('en');
  await language.speak('tlh');
  expect([language.locale, t('frame.skip')]).toEqual(['en', 'Skip to the page']);
});

test.each(locales)('%s says every sentence', async (locale) => {
  await language.speak(locale);
  expect(language.locale).toBe(locale);
  for (const key of Object.keys(english) as TextKey[]) {
    const text = language.words?.[key];
    expect(typeof text === 'string' ? text : text?.other, key).toMatch(/\S/);
  }
});

test('what is shown is said anew when another language is chosen', async () => {
  render(ToneIcon, { tone: 'needs', named: true });
  expect(screen.getByText('Needs you')).toBeDefined();
  speak('ar');
  await tick();
  expect(screen.getByText('‹Needs you›')).toBeDefined();
  expect([document.documentElement.lang, document.documentElement.dir]).toEqual(['ar', 'rtl']);
  speak('ja');
  expect([document.documentElement.lang, document.documentElement.dir]).toEqual(['ja', 'ltr']);
});

test('each language uses its own plural forms, numbers, times and lists', () => {
  const forms = { one: '{count} snímek', few: '{count} snímky', other: '{count} snímků' };
  speak('cs', { 'account.media': forms });
  expect([1, 3, 12_000].map((count) => t('account.media', { count }).replace(/\s/g, ' '))).toEqual([
    '1 snímek',
    '3 snímky',
    '12 000 snímků',
  ]);
  speak('de');
  expect(size(1_240_000_000)).toMatch(/^1,2\sGB$/);
  expect(ago(0, 2 * 3_600_000)).toBe('vor 2 Stunden');
  expect(list(['a', 'b', 'c'])).toBe('a, b und c');
  speak('ja', { 'account.media': { other: '{count}点' } });
  expect([1, 2].map((count) => t('account.media', { count }))).toEqual(['1点', '2点']);
});
