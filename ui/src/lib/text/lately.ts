// How a run of the past ended, in words.

import type { Run } from '$lib/bindings';
import { t } from '.';
import { day } from './format';
import type { Tone } from './standing';

/** A sentence, and how it stands. */
export function endOf({ end }: Run): { tone: Tone; words: string } {
  switch (end.outcome) {
    case 'completed':
      return { tone: 'safe', words: t(end.changed ? 'lately.changed' : 'lately.unchanged') };
    case 'skipped':
      return { tone: 'plain', words: end.why.happened };
    case 'stopped':
      return { tone: 'plain', words: t('lately.stopped') };
    case 'failed':
      return { tone: end.problem.severity === 'danger' ? 'danger' : 'needs', words: end.problem.happened };
  }
}

/** Runs by the day on which they ended, in the order given. */
export function byDay(runs: Run[], now: number): [string, Run[]][] {
  const days = new Map<string, Run[]>();
  for (const run of runs) {
    const name = day(run.ended, now);
    days.set(name, [...(days.get(name) ?? []), run]);
  }
  return [...days];
}
