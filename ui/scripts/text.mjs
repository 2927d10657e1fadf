// Turns assets/text/<locale>.toml into src/lib/text/messages/<locale>.ts, so that a word that is missing, or is filled in
// with the wrong thing, does not compile, and a page loads the words of its own language only.
//
// The window reads the table [window] only. A string is a message; a table of plural forms, `other` among them, is
// one message. Every locale must have the messages of en.toml with the same words in braces, and each of its plurals the
// forms that its own language has; the build stops otherwise.
import fs from 'node:fs';
import path from 'node:path';
import { parse } from 'smol-toml';

const SOURCE = path.join(import.meta.dirname, '../../assets/text/');
const TARGET = path.join(import.meta.dirname, '../src/lib/text/messages/');
const PLURALS = new Set(['zero', 'one', 'two', 'few', 'many', 'other']);

/** @typedef {Record<string, string | Record<string, string>>} Messages */

/**
 * The messages of one locale, by dotted name.
 * @param {string} toml
 * @returns {Messages}
 */
export function readMessages(toml) {
  /** @type {Messages} */
  const messages = {};
  /** @param {string} name @param {unknown} value */
  const walk = (name, value) => {
    if (typeof value === 'string') messages[name] = value;
    else if (typeof value !== 'object' || value === null) throw new Error(`${name} is no text`);
    else if (isPlural(value)) messages[name] = value;
    else for (const [key, inner] of Object.entries(value)) walk(name ? `${name}.${key}` : key, inner);
  };
  walk('', parse(toml).window ?? {});
  return messages;
}

/** @param {object} table @returns {table is Record<string, string>} */
function isPlural(table) {
  const entries = Object.entries(table);
  return 'other' in table && entries.every(([form, text]) => PLURALS.has(form) && typeof text === 'string');
}

/**
 * What is wrong with a locale beside the one it translates.
 * @param {Messages} original
 * @param {Messages} translation
 * @param {string} locale
 */
export function differences(original, translation, locale) {
  const found = [];
  for (const [name, message] of Object.entries(original)) {
    const other = translation[name];
    if (other === undefined) found.push(`${name} is missing`);
    else if (typeof other !== typeof message) found.push(`${name} has plural forms in one and not in the other`);
    else if (holes(other) !== holes(message))
      found.push(`${name} is filled in with ${holes(other)}, not ${holes(message)}`);
  }
  for (const name of Object.keys(translation)) {
    if (!(name in original)) found.push(`${name} is in no other locale`);
  }
  return [...found, ...wrongForms(translation, locale)];
}

/**
 * Plurals that lack a form which the language has for some number below a thousand, or have one that it never uses.
 * @param {Messages} messages
 * @param {string} locale
 */
function wrongForms(messages, locale) {
  const rules = new Intl.PluralRules(locale);
  const everyday = new Set(Array.from({ length: 1000 }, (_, count) => rules.select(count)));
  const known = new Set(rules.resolvedOptions().pluralCategories);
  return Object.entries(messages).flatMap(([name, forms]) => {
    if (typeof forms === 'string') return [];
    const missing = [...everyday].filter((form) => !(form in forms));
    const unused = Object.keys(forms).filter((form) => !(/** @type {Set<string>} */ (known).has(form)));
    return [
      ...missing.map((form) => `${name} lacks the plural form ${form}`),
      ...unused.map((form) => `${name} has the plural form ${form}, which ${locale} does not use`),
    ];
  });
}

/** @param {string | Record<string, string>} message */
function holes(message) {
  const text = typeof message === 'string' ? message : Object.values(message).join(' ');
  const names = [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
  return `{${[...new Set(names)].sort().join(', ')}}`;
}

/** Writes what differs into `target`: a module for each locale of `source`, and index.ts, which names them. */
export function writeMessages(source = SOURCE, target = TARGET) {
  const locales = fs
    .readdirSync(source)
    .filter((name) => name.endsWith('.toml'))
    .map((name) => path.basename(name, '.toml'))
    .sort();
  const all = locales.map((locale) => ({
    locale,
    messages: readMessages(fs.readFileSync(path.join(source, `${locale}.toml`), 'utf8')),
  }));
  const english = all.find(({ locale }) => locale === 'en')?.messages ?? {};
  const problems = all.flatMap(({ locale, messages }) =>
    differences(english, messages, locale).map((difference) => `${locale}.toml: ${difference}`),
  );
  if (problems.length > 0) throw new Error(problems.join('\n'));
  fs.mkdirSync(target, { recursive: true });
  for (const { locale, messages } of all) {
    // The type of English is each text itself; of the others it is enough that they are texts.
    const ending = locale === 'en' ? 'as const' : 'as Record<string, string | Record<string, string>>';
    write(path.join(target, `${locale}.ts`), `export default ${JSON.stringify(messages, null, 2)} ${ending};\n`);
  }
  const loaders = locales.map((locale) => `  '${locale}': () => import('./${locale}'),\n`).join('');
  const englishType = "export type Messages = typeof import('./en').default;\n";
  write(path.join(target, 'index.ts'), `${englishType}export const loaders = {\n${loaders}};\n`);
}

/** @param {string} file @param {string} body */
function write(file, body) {
  const text = `// Made from assets/text by scripts/text.mjs. Do not edit.\n${body}`;
  if (!fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== text) fs.writeFileSync(file, text);
}

/** Does it at every build, and again whenever a text changes. @returns {import('vite').Plugin} */
export function typedText() {
  return {
    name: 'skykeep-text',
    buildStart: () => writeMessages(),
    configureServer(server) {
      server.watcher.add(SOURCE);
      server.watcher.on('change', (file) => {
        if (file.startsWith(SOURCE)) writeMessages();
      });
    },
  };
}

if (process.argv[1] === import.meta.filename) writeMessages();
