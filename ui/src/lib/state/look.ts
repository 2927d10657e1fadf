// How the window looks and speaks. The engine knows what was chosen; what it said last is remembered, so that the first
// picture is right before it answers.

import type { Appearance, Preferences } from '$lib/bindings';
import { language, localeFor } from '$lib/text/language.svelte';

export type Look = Pick<Preferences, 'language' | 'appearance'>;

const NAME = 'skykeep.look';

let shown: Appearance = 'system';

/** Shows the window in a language and a theme, each as it was chosen or, by default, as the system says. */
export async function show({ language: locale, appearance }: Look): Promise<void> {
  shown = appearance;
  showTheme();
  await language.speak(locale ?? localeFor(navigator.languages));
}

/** Follows the system when it turns light or dark; returns what stops it. */
export function followSystem(): () => void {
  const dark = systemIsDark();
  dark.addEventListener('change', showTheme);
  return () => dark.removeEventListener('change', showTheme);
}

/** The look that the window had last; as the system says when it was never open. */
export function remembered(): Look {
  let found: Partial<Look> = {};
  try {
    found = (JSON.parse(localStorage.getItem(NAME) ?? '{}') ?? {}) as Partial<Look>;
  } catch {
    // What cannot be read is not remembered.
  }
  const appearance = found.appearance === 'light' || found.appearance === 'dark' ? found.appearance : 'system';
  return { language: typeof found.language === 'string' ? found.language : null, appearance };
}

export function remember({ language, appearance }: Look): void {
  localStorage.setItem(NAME, JSON.stringify({ language, appearance }));
}

function showTheme(): void {
  const system = systemIsDark().matches ? 'dark' : 'light';
  document.documentElement.dataset.theme = shown === 'system' ? system : shown;
}

function systemIsDark(): MediaQueryList {
  return matchMedia('(prefers-color-scheme: dark)');
}
