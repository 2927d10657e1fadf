// Turns assets/text/<locale>.toml into src/lib/text/messages.ts, so that a word that is missing, or is filled in with the
// wrong thing, does not compile.
//
// The window reads the table [window] only. A string is a message; a table of plural forms, `other` among them, is
// one message. Every locale must have the messages of en.toml with the same words in braces; the build stops otherwise.
import fs from 'node:fs';
import path from 'node:path';
import { parse } from 'smol-toml';

const SOURCE = path.join(import.meta.dirname, '../../assets/text/');
const TARGET = path.join(import.meta.dirname, '../src/lib/text/messages.ts');
const PLURALS = new Set(['zero', 'one', 'two', 'few', 'many', 'other']);

/**
 * The messages of one locale, by dotted name.
 * @param {string} toml
 * @returns {Record<string, string | Record<string, string>>}
 */
export function readMessages(toml) {
  /** @type {Record<string, string | Record<string, string>>} */
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
 * @param {ReturnType<typeof readMessages>} original
 * @param {ReturnType<typeof readMessages>} translation
 */
export function differences(original, translation) {
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
  return found;
}

/** @param {string | Record<string, string>} message */
function holes(message) {
  const text = typeof message === 'string' ? message : Object.values(message).join(' ');
  const names = [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
  return `{${[...new Set(names)].sort().join(', ')}}`;
}

/** Writes messages.ts, when it differs. */
export function writeMessages() {
  const locales = fs.readdirSync(SOURCE).filter((name) => name.endsWith('.toml'));
  const all = Object.fromEntries(
    locales.map((name) => [
      path.basename(name, '.toml'),
      readMessages(fs.readFileSync(path.join(SOURCE, name), 'utf8')),
    ]),
  );
  const problems = Object.entries(all).flatMap(([locale, messages]) =>
    differences(all.en ?? {}, messages).map((difference) => `${locale}.toml: ${difference}`),
  );
  if (problems.length > 0) throw new Error(problems.join('\n'));
  const body = Object.entries(all)
    .map(([locale, messages]) => `export const ${locale} = ${JSON.stringify(messages, null, 2)} as const;\n`)
    .join('\n');
  const text = `// Made from assets/text by scripts/text.mjs. Do not edit.\n${body}`;
  if (!fs.existsSync(TARGET) || fs.readFileSync(TARGET, 'utf8') !== text) fs.writeFileSync(TARGET, text);
}

/** Does it at every build, and again whenever a text changes. @returns {import('vite').Plugin} */
export function typedText() {
  return {
    name: 'skykeep-text',
    buildStart: writeMessages,
    configureServer(server) {
      server.watcher.add(SOURCE);
      server.watcher.on('change', (file) => {
        if (file.startsWith(SOURCE)) writeMessages();
      });
    },
  };
}

if (process.argv[1] === import.meta.filename) writeMessages();
