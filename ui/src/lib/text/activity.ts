// What happened lately, as people would tell it: runs that found nothing new are told together.

import type { Run } from '$lib/bindings';
import { t } from '.';
import { ago } from './format';
import type { Tone } from './standing';

/** One line of the recent past. */
export interface Told {
  /** Stable while the list grows. */
  key: string;
  /** Whose run it was; undefined when it is told of several. */
  did: string | undefined;
  tone: Tone;
  words: string;
  /** "12 minutes ago". */
  when: string;
  /** When it ended, exactly. */
  time: number;
}

/** Runs, newest first, as at most `limit` lines. */
export function activity(runs: Run[], now: number, limit: number): Told[] {
  const told: Told[] = [];
  for (let index = 0; index < runs.length && told.length < limit;) {
    const together = quiet(runs, index);
    const run = runs[index];
    if (!run) break;
    const several = new Set(runs.slice(index, index + together).map(({ did }) => did)).size;
    told.push({
      key: `${run.did} ${run.began}`,
      did: several > 1 ? undefined : run.did,
      when: ago(run.ended, now),
      time: run.ended,
      ...(together > 1 ? { tone: 'safe', words: quietWords(together, several) } : saidOf(run)),
    });
    index += Math.max(1, together);
  }
  return told;
}

function quietWords(times: number, accounts: number): string {
  if (accounts > 1) return t('activity.unchanged_accounts', { accounts, count: times });
  return t('activity.unchanged_times', { count: times });
}

/** How many runs from here on found nothing new. */
function quiet(runs: Run[], from: number): number {
  const end = runs.findIndex((run, index) => index >= from && !unchanged(run));
  return (end === -1 ? runs.length : end) - from;
}

function unchanged({ end }: Run): boolean {
  return end.outcome === 'completed' && !end.changed;
}

function saidOf({ end }: Run): { tone: Tone; words: string } {
  switch (end.outcome) {
    case 'completed':
      return { tone: 'safe', words: t(end.changed ? 'activity.changed' : 'activity.unchanged') };
    case 'skipped':
      return { tone: 'plain', words: end.why.happened };
    case 'stopped':
      return { tone: 'plain', words: t('activity.stopped') };
    case 'failed':
      return { tone: end.problem.severity === 'danger' ? 'danger' : 'needs', words: end.problem.happened };
  }
}
