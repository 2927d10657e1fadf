// Which language is spoken. Only its words are loaded; whoever reads them is drawn again when another one is chosen.

import { loaders, type Messages } from './messages';

/** The words of a language, by the names of the English ones. */
export type Words = Record<keyof Messages, string | Record<string, string>>;

/** Languages that are written from right to left. */
const RIGHT_TO_LEFT = new Set(['ar', 'ckb', 'dv', 'fa', 'he', 'ps', 'sd', 'ug', 'ur', 'yi']);

/** Locales that can be spoken, as assets/text has them. */
export const locales = Object.keys(loaders);

/** What is spoken now. Words are there from the first `speak` on. */
class Language {
  /** A locale of assets/text. */
  locale = $state('en');
  /** The person's own region of it (en-GB, en-US), which decides how dates and hours are written. */
  region = $state('en');
  words = $state.raw<Words>();
  /** What was asked for last: an answer that is overtaken is not spoken. */
  #wanted = '';

  /** Loads a language's words and speaks it from then on; one that does not exist is not spoken. */
  async speak(locale: string): Promise<void> {
    const load = loaders[locale as keyof typeof loaders] as (() => Promise<{ default: unknown }>) | undefined;
    this.#wanted = locale;
    if (!load || (this.words && locale === this.locale)) return;
    const { default: words } = await load();
    // Every locale was held against English when it was built.
    if (this.#wanted === locale) this.use(locale, words as Words);
  }

  /** Speaks with these words, and says so to the system: it chooses fonts, hyphens and a screen reader's voice by it. */
  use(locale: string, words: Words): void {
    this.locale = locale;
    this.region = regionOf(locale, navigator.languages);
    this.words = words;
    document.documentElement.lang = locale;
    document.documentElement.dir = RIGHT_TO_LEFT.has(languageOf(locale)) ? 'rtl' : 'ltr';
  }
}

export const language = new Language();

/** The locale that suits what a system wishes for, most wished for first: the same, or the same language; else English. */
export function localeFor(wishes: readonly string[], offered: string[] = locales): string {
  for (const wish of wishes) {
    const same = offered.find((locale) => locale.toLowerCase() === wish.toLowerCase());
    const alike = offered.find((locale) => languageOf(locale) === languageOf(wish));
    if (same ?? alike) return same ?? alike ?? 'en';
  }
  return 'en';
}

/** The system's own region of a locale, when it names one; a locale that names its region keeps it. */
export function regionOf(locale: string, wishes: readonly string[]): string {
  if (locale.includes('-')) return locale;
  return wishes.find((wish) => languageOf(wish) === locale) ?? locale;
}

/** A language's name for itself: "Deutsch", "Português (Brasil)", "日本語". */
export function ownName(locale: string): string {
  const name = new Intl.DisplayNames([locale], { type: 'language' }).of(locale) ?? locale;
  return name.charAt(0).toLocaleUpperCase(locale) + name.slice(1);
}

function languageOf(locale: string): string {
  return locale.toLowerCase().split('-')[0] ?? '';
}
