// Whether an account could be got back today, in one true line. It is the second statement: kept is not yet recoverable.

import type { Account, ReadyLine } from '$lib/bindings';
import { t } from '.';
import type { Tone } from './standing';

/** The first line of the recovery page. */
export function recoveryAnswer(accounts: Account[]): { tone: Tone; headline: string; hostHoldsKey: boolean } {
  if (accounts.length === 0) return { tone: 'plain', headline: t('recovery.none'), hostHoldsKey: false };
  const keyless = accounts.filter(({ readiness }) => lacks(readiness.lines, 'recovery_key'));
  // Whoever keeps accounts for others only is told so in each account's own lines.
  const hostHoldsKey = keyless.some(({ whose }) => whose === 'mine');
  const kept = accounts.every(({ kept }) => kept.state === 'complete' || kept.state === 'posts_only');
  if (!kept) return { tone: 'needs', headline: t('recovery.unkept'), hostHoldsKey };
  if (hostHoldsKey) return { tone: 'needs', headline: t('recovery.posts_only'), hostHoldsKey };
  if (keyless.length > 0) return { tone: 'needs', headline: t('recovery.posts_only_theirs'), hostHoldsKey };
  return { tone: 'safe', headline: t('recovery.held'), hostHoldsKey };
}

function lacks(lines: ReadyLine[], what: ReadyLine['what']): boolean {
  return lines.some((line) => line.what === what && !line.ready);
}
