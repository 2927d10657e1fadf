import type { Appearance } from '$lib/bindings';

/** Draws the window light or dark, as it was chosen or, by default, as the system is. */
export function showTheme(appearance: Appearance): void {
  const chosen = appearance === 'system' ? (systemIsDark().matches ? 'dark' : 'light') : appearance;
  document.documentElement.dataset.theme = chosen;
}

/** Follows the system while nothing else is chosen; returns what stops it. */
export function followSystem(appearance: () => Appearance): () => void {
  const dark = systemIsDark();
  const follow = () => showTheme(appearance());
  follow();
  dark.addEventListener('change', follow);
  return () => dark.removeEventListener('change', follow);
}

function systemIsDark(): MediaQueryList {
  return matchMedia('(prefers-color-scheme: dark)');
}
