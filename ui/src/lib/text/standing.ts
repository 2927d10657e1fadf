// How an account stands, in one true line. It says what the engine knows, and nothing more.

import type { Account, Kept, Problem, Waiting } from '$lib/bindings';
import { t } from '.';
import { ago, at, moment } from './format';
import { nameOf } from './names';

/** How things stand at a glance: a colour, an icon and a word, never a colour alone. */
export type Tone = 'safe' | 'accent' | 'needs' | 'danger' | 'plain';

/** What stands in an account's first lines. */
export interface Standing {
  tone: Tone;
  /** The answer. */
  headline: string;
  /** When, where, what is still to come, what happens next; a sentence each. */
  details: string[];
}

/** How one account stands at a time. */
export function standing(account: Account, now: number): Standing {
  return { tone: toneOfKeeping(account), headline: headline(account), details: details(account, now) };
}

/** How much of "your posts are kept" is true, whatever else there is to say: the tone of the first line. */
function toneOfKeeping({ kept, run }: Account): Tone {
  switch (kept.state) {
    case 'nothing':
      return run ? 'accent' : 'plain';
    case 'posts_only':
      return 'accent';
    case 'complete':
      return 'safe';
    case 'stale':
    case 'media_unseen':
      return 'needs';
    case 'unseen':
      return 'danger';
  }
}

/** The most urgent thing there is to say of an account: its tone in lists. */
export function toneOf(account: Account): Tone {
  const worst = worstOf(account.problems);
  if (worst === 'danger' || toneOfKeeping(account) === 'danger') return 'danger';
  if (worst === 'needs_you') return 'needs';
  return toneOfKeeping(account) === 'safe' && account.run ? 'accent' : toneOfKeeping(account);
}

function worstOf(problems: Problem[]): Problem['severity'] | undefined {
  const order: Problem['severity'][] = ['danger', 'needs_you', 'note'];
  return order.find((severity) => problems.some((problem) => problem.severity === severity));
}

/** What is kept for somebody else is theirs, and said to be. */
function headline(account: Account): string {
  const { kept, run, whose } = account;
  const answer = answerTo(kept.state, run !== null);
  if (answer === 'nothing') return t('status.nothing');
  return whose === 'mine' ? t(`status.${answer}`) : t(`status.${answer}_theirs`, { name: nameOf(account) });
}

function answerTo(state: Kept['state'], running: boolean) {
  switch (state) {
    case 'nothing':
      return running ? 'first_run' : 'nothing';
    case 'stale':
    case 'media_unseen':
    case 'unseen':
      return state;
    case 'posts_only':
    case 'complete':
      return 'kept';
  }
}

function details(account: Account, now: number): string[] {
  const { kept, run, waiting, next_due: due } = account;
  const said = lastChecked(kept, now);
  // What another tool has saved was never checked: how old it is, is all that is known.
  if (kept.last_checked === null && kept.last_snapshot !== null && kept.state !== 'unseen' && !run) {
    said.push(t('status.as_it_was', { when: at(kept.last_snapshot, now) }));
  }
  if (kept.media_pending > 0) said.push(t('status.media_pending', { count: kept.media_pending }));
  if (run) {
    if (kept.state === 'nothing') said.push(t('status.close'));
  } else if (waiting) said.push(waits(waiting, account, now));
  else if (due !== null) said.push(due <= now ? t('status.next_soon') : t('status.next', { when: at(due, now) }));
  return said;
}

/** "Last checked 12 minutes ago, on this computer only." */
export function lastChecked(kept: Kept, now: number): string[] {
  if (kept.last_checked === null || kept.state === 'unseen' || kept.state === 'media_unseen') return [];
  const when = ago(kept.last_checked, now);
  if (kept.places === 0) return [t('status.nowhere', { when })];
  if (kept.this_computer_only) return [t('status.here', { when })];
  return [t('status.places', { when, count: kept.places })];
}

function waits(waiting: Waiting, account: Account, now: number): string {
  switch (waiting.reason) {
    case 'host': {
      const times = { since: moment(waiting.since, now), until: at(waiting.until, now) };
      if (account.whose === 'mine') return t('status.wait_host', times);
      return t('status.wait_host_theirs', { name: nameOf(account), ...times });
    }
    case 'network':
      return t('status.wait_network');
    case 'place':
      return t('status.wait_place');
    case 'paused':
      return waiting.until === null
        ? t('status.wait_paused')
        : t('status.wait_paused_until', { until: at(waiting.until, now) });
    case 'battery':
      return t('status.wait_battery', { below: waiting.below });
    case 'metered':
      return t('status.wait_metered');
    case 'quiet':
      return t('status.wait_quiet', { until: at(waiting.until, now) });
  }
}

/** The most urgent first, otherwise as they were. */
export function byUrgency(accounts: Account[]): Account[] {
  const order: Tone[] = ['danger', 'needs', 'plain', 'accent', 'safe'];
  return accounts.toSorted((one, other) => order.indexOf(toneOf(one)) - order.indexOf(toneOf(other)));
}

/** One sentence for all accounts, for the home page. */
export function standingOfAll(accounts: Account[], now: number): Standing {
  const tones = accounts.map(toneOf);
  const count = accounts.length;
  const kept = accounts.filter(({ kept }) => kept.state === 'complete' || kept.state === 'posts_only').length;
  const needing = tones.filter((tone) => tone === 'needs' || tone === 'danger').length;
  const checked = accounts.map((account) => account.kept.last_checked).filter((time) => time !== null);
  const keptWords = kept === count ? t('home.all_kept', { count }) : t('home.some_kept', { kept, count });
  const oldest = checked.length === count ? [t('home.last_checked', { when: ago(Math.min(...checked), now) })] : [];
  const order: Tone[] = ['danger', 'needs', 'accent', 'plain', 'safe'];
  return {
    tone: order.find((tone) => tones.includes(tone)) ?? 'plain',
    headline: needing > 0 ? t('home.needs_you', { count: needing }) : keptWords,
    details: needing > 0 ? [keptWords, ...oldest] : oldest,
  };
}
