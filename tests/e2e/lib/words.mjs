// The words of assets/text, for whoever looks for them in a page, or shows a problem as the engine would say it.
import fs from 'node:fs';
import { fromUi } from './pages.mjs';

const { parse } = fromUi('smol-toml');
const TEXT = new URL('../../../assets/text/', import.meta.url);

/** The languages there are. */
export const LOCALES = fs.readdirSync(TEXT).map((file) => file.replace('.toml', ''));

/** What problems of the made-up engine are about, by the names that their sentences have for it. */
const ABOUT = {
  account: 'alice.test',
  count: 4,
  folder: '/home/alice/.local/share/skykeep',
  handle: 'alcie.test',
  host: 'morel.us-east.host.example',
  media: 88,
  place: 'Family drive',
  records: 1340,
  server: 's3.eu-central-1.amazonaws.com',
  text: 'nonsense',
};

/** The words of one language. */
export function wordsOf(locale) {
  const { window: messages, problem: problems } = parse(fs.readFileSync(new URL(`${locale}.toml`, TEXT), 'utf8'));

  function fill(message, filling) {
    const form = new Intl.PluralRules(locale).select(Number(filling.count));
    const text = typeof message === 'string' ? message : (message[form] ?? message.other);
    return text.replace(/\{(\w+)\}/g, (_, name) =>
      typeof filling[name] === 'number' ? filling[name].toLocaleString(locale) : (filling[name] ?? `{${name}}`),
    );
  }

  /** A message of the window, such as `account.pause`. */
  function say(name, filling = {}) {
    const message = name.split('.').reduce((table, key) => table?.[key], messages);
    if (message === undefined) throw new Error(`no words for ${name}`);
    return fill(message, filling);
  }

  /** A copy of what the engine answers, with each problem in the engine's own words for its code. */
  function worded(answer) {
    if (Array.isArray(answer)) return answer.map(worded);
    if (typeof answer !== 'object' || answer === null) return answer;
    const copy = Object.fromEntries(Object.entries(answer).map(([key, value]) => [key, worded(value)]));
    if (!('severity' in answer)) return copy;
    const said = problems[answer.code];
    if (!said) throw new Error(`the engine has no problem ${answer.code}`);
    return {
      ...copy,
      ...Object.fromEntries(Object.entries(said).map(([key, text]) => [key, fill(text, ABOUT)])),
    };
  }

  return { say, worded };
}
