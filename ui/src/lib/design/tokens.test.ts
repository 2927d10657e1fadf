// Holds the design tokens to their word: contrast in light, dark, and both with more contrast.

import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

type Tokens = Record<string, string>;

const css = fs.readFileSync(path.join(import.meta.dirname, 'tokens.css'), 'utf8');

/** The custom properties of the block that opens with `opening`. */
function block(opening: string): Tokens {
  const start = css.indexOf(opening);
  expect(start, opening).toBeGreaterThan(-1);
  const body = css.slice(start, css.indexOf('}', start));
  return Object.fromEntries(
    [...body.matchAll(/(--[\w-]+):\s*([^;]+);/g)].map((found): [string, string] => [found[1] ?? '', found[2] ?? '']),
  );
}

const light = block('\n:root {');
const dark = { ...light, ...block('\n:root[data-theme=') };
const more = block('@media (prefers-contrast: more) {');
const themes: Record<string, Tokens> = {
  light,
  dark,
  'light, more contrast': { ...light, ...more },
  'dark, more contrast': { ...dark, ...block('  :root[data-theme=') },
};

/** Relative luminance of an oklch() colour, as WCAG 2.2 defines it; source of the matrices: CSS Color 4. */
function luminance(tokens: Tokens, name: string): number {
  const value = tokens[name] ?? '';
  const link = /var\((--[\w-]+)\)/.exec(value)?.[1];
  if (link) return luminance(tokens, link);
  const [l = 0, c = 0, h = 0] = (/oklch\(([\d. ]+)\)/.exec(value)?.[1] ?? '').split(' ').map(Number);
  const a = c * Math.cos((h * Math.PI) / 180);
  const b = c * Math.sin((h * Math.PI) / 180);
  const long = (l + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const medium = (l - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (l - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const clip = (channel: number) => Math.min(1, Math.max(0, channel));
  const red = clip(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short);
  const green = clip(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short);
  const blue = clip(-0.0041960863 * long - 0.7034186147 * medium + 1.707614701 * short);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(tokens: Tokens, one: string, other: string): number {
  const [low = 0, high = 0] = [luminance(tokens, one), luminance(tokens, other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

const AAA = 7;
const AA = 4.5;
const AA_GRAPHIC = 3;

const surfaces = ['--page', '--side', '--card', '--sunken'];
const tones = ['safe', 'needs', 'danger', 'accent', 'plain'];
const pairs: [string, string, number][] = [
  ...surfaces.map((surface): [string, string, number] => ['--text', surface, AAA]),
  ...surfaces.map((surface): [string, string, number] => ['--text-quiet', surface, AA]),
  ...surfaces.map((surface): [string, string, number] => ['--accent-strong', surface, AA]),
  ...tones.map((tone): [string, string, number] => ['--text', `--${tone}-quiet`, AAA]),
  ...tones.map((tone): [string, string, number] => [`--${tone}-strong`, `--${tone}-quiet`, AA]),
  ...tones.map((tone): [string, string, number] => [`--${tone}-strong`, '--card', AA]),
  ...tones.map((tone): [string, string, number] => [`--${tone}-strong`, '--page', AA]),
  ['--on-accent', '--accent', AA],
  ['--on-accent', '--accent-hover', AA],
  ['--text-quiet', '--accent-quiet', AA],
  ['--line-strong', '--card', AA_GRAPHIC],
  ['--line-strong', '--page', AA_GRAPHIC],
  ['--accent', '--page', AA_GRAPHIC],
  ['--safe-middle', '--card', AA_GRAPHIC],
  ['--lamp', '--night', AA_GRAPHIC],
];

describe.each(Object.entries(themes))('%s', (_, tokens) => {
  test.each(pairs)('%s on %s reaches %d', (text, surface, least) => {
    expect(contrast(tokens, text, surface)).toBeGreaterThanOrEqual(least);
  });
});
