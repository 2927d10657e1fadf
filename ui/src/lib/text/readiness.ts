// "Could you get your account back today?", line by line. What was never checked is said to be so, and is not ready.

import type { Account, ReadyLine, ReadyWhat } from '$lib/bindings';
import { t } from '.';
import { ago } from './format';
import type { Tone } from './standing';

/** What improves a line. */
export type Remedy = 'back_up' | 'add_place' | 'check_files';

/** One line of the card. */
export interface ReadySaid {
  what: ReadyWhat;
  ready: boolean;
  tone: Tone;
  headline: string;
  /** When it was found out, how many of how many. */
  detail: string;
  /** The one thing that improves it; undefined where a person can do nothing here. */
  remedy: Remedy | undefined;
}

/** The answer above the lines, and how many of them are ready. */
export interface ReadyAnswer {
  answer: string;
  ready: number;
  total: number;
  lines: ReadySaid[];
}

/** The question that the card answers: of one account, or of all that are kept. */
export function readyTitle(accounts: Pick<Account, 'whose'>[]): string {
  const mine = accounts.every(({ whose }) => whose === 'mine');
  if (accounts.length === 1) return t(mine ? 'ready.title' : 'ready.title_theirs');
  return t(mine ? 'ready.title_all' : 'ready.title_everyone');
}

/** How ready one account is. */
export function readinessOf(account: Account, now: number): ReadyAnswer {
  const { lines, read_back: readBack } = account.readiness;
  return answered(
    lines.map((line) => {
      const detail = detailOf(line, now);
      const sample = line.what === 'checked' && readBack !== null;
      const more = sample ? ` · ${t('ready.read_back', { when: ago(readBack, now) })}` : '';
      return said(line, remedyFor(line, account), `${detail}${more}`);
    }),
  );
}

/** How ready all accounts are: a line is ready when it is for each of them. */
export function readinessOfAll(accounts: Account[], now: number): ReadyAnswer {
  const order = accounts[0]?.readiness.lines.map(({ what }) => what) ?? [];
  const lines = order.map((what) => {
    const of = accounts.flatMap((account) => account.readiness.lines.filter((line) => line.what === what));
    const unready = accounts.filter((account) =>
      account.readiness.lines.some((line) => line.what === what && !line.ready),
    );
    const ready = of.length - unready.length;
    const dates = of.map(({ since }) => since);
    const all: ReadyLine = {
      what,
      ready: unready.length === 0,
      since: dates.includes(null) ? null : Math.min(...dates.filter((date) => date !== null)),
      count: of.reduce((sum, line) => sum + line.count, 0),
      total: of.reduce((sum, line) => sum + line.total, 0),
    };
    const [first] = unready;
    const detail = all.ready
      ? detailOf(all, now)
      : ready === 0 && what === 'recovery_key'
        ? t('ready.recovery_key_why')
        : t('ready.for_accounts', { ready, count: of.length });
    return said(all, first && remedyFor(all, first), detail);
  });
  return answered(lines);
}

function answered(lines: ReadySaid[]): ReadyAnswer {
  const unready = lines.filter((line) => !line.ready);
  const [only] = unready;
  const answer =
    unready.length === 0
      ? t('ready.yes')
      : unready.length === 1 && only?.what === 'recovery_key'
        ? t('ready.with_host')
        : t('ready.not_all');
  return { answer, ready: lines.length - unready.length, total: lines.length, lines };
}

function said(line: ReadyLine, remedy: Remedy | undefined, detail: string): ReadySaid {
  const { what, ready } = line;
  const never = !ready && line.since === null;
  return {
    what,
    ready,
    tone: ready ? 'safe' : never ? 'plain' : 'needs',
    headline: t(ready ? `ready.${what}` : `ready.${what}_not`),
    detail,
    remedy: ready ? undefined : remedy,
  };
}

function detailOf({ what, ready, since, count, total }: ReadyLine, now: number): string {
  if (what === 'recovery_key' && !ready) return t('ready.recovery_key_why');
  const said = [];
  if (what === 'media' && total > 0) said.push(t('ready.of', { done: count, count: total }));
  if (what === 'apart' && ready) said.push(t('ready.places', { count }));
  if (since !== null) said.push(t('ready.since', { when: ago(since, now) }));
  else if (what === 'apart' && !ready) said.push(t('ready.apart_why'));
  else said.push(t('ready.never'));
  return said.join(' · ');
}

function remedyFor({ what }: ReadyLine, { kept }: Account): Remedy | undefined {
  switch (what) {
    case 'fresh':
    case 'identity':
      return 'back_up';
    case 'media':
      // What the host no longer has, no backup brings.
      return kept.media_pending > 0 || kept.state === 'nothing' ? 'back_up' : undefined;
    case 'apart':
      return 'add_place';
    case 'checked':
      return kept.state === 'nothing' ? undefined : 'check_files';
    case 'recovery_key':
      return undefined;
  }
}
