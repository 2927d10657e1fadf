// Words. Every sentence comes from assets/text; what it is filled in with is checked by the compiler.

import { language } from './language.svelte';
import type { Messages } from './messages';

/** The name of a message. */
export type TextKey = keyof Messages;

/** The words in braces of a message. */
type Holes<Message> = Message extends `${string}{${infer Name}}${infer Rest}` ? Name | Holes<Rest> : never;

/** The texts behind a message: itself, or its plural forms. */
type Forms<Key extends TextKey> = Messages[Key] extends string ? Messages[Key] : Messages[Key][keyof Messages[Key]];

type Filling<Key extends TextKey> = Record<
  Holes<Forms<Key>> | (Messages[Key] extends string ? never : 'count'),
  string | number
>;

/** A message, filled in. Numbers are written the way the language writes them; `count` chooses the plural form. */
export function t<Key extends TextKey>(
  key: Key,
  ...[filling]: [keyof Filling<Key>] extends [never] ? [] : [Filling<Key>]
): string {
  const message = language.words?.[key] ?? key;
  const values: Record<string, string | number> = filling ?? {};
  const text = typeof message === 'string' ? message : pluralForm(message, Number(values.count));
  return text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name] ?? '';
    return typeof value === 'number' ? intl(Intl.NumberFormat).format(value) : value;
  });
}

function pluralForm(forms: Record<string, string>, count: number): string {
  return forms[intl(Intl.PluralRules).select(count)] ?? forms.other ?? '';
}

const made = new Map<unknown, Map<string, unknown>>();

/** What writes numbers, dates or lists the way of the person's region, made once for each region and way. */
export function intl<Options, Format>(
  kind: new (region: string, options?: Options) => Format,
  options?: Options,
): Format {
  const known = made.get(kind) ?? new Map<string, unknown>();
  made.set(kind, known);
  const way = language.region + JSON.stringify(options);
  const found = (known.get(way) as Format | undefined) ?? new kind(language.region, options);
  known.set(way, found);
  return found;
}
