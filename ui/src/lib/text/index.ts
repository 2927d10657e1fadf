// Words. Every sentence comes from assets/text; what it is filled in with is checked by the compiler.

import { en } from './messages';

type Messages = typeof en;

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

/** The language everything is said in. */
export const locale = 'en';

const plurals = new Intl.PluralRules(locale);
const numbers = new Intl.NumberFormat(locale);

/** A message, filled in. Numbers are written the way the language writes them; `count` chooses the plural form. */
export function t<Key extends TextKey>(
  key: Key,
  ...[filling]: [keyof Filling<Key>] extends [never] ? [] : [Filling<Key>]
): string {
  const message: string | Record<string, string> = en[key];
  const values: Record<string, string | number> = filling ?? {};
  const text = typeof message === 'string' ? message : pluralForm(message, Number(values.count));
  return text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name] ?? '';
    return typeof value === 'number' ? numbers.format(value) : value;
  });
}

function pluralForm(forms: Record<string, string>, count: number): string {
  return forms[plurals.select(count)] ?? forms.other ?? '';
}
