// How long a pause can be.

import { t } from '$lib/text';

const HOUR = 3_600_000;

/** Choices for a pause that begins now; `until` is null for one that somebody has to end. */
export function pauses(now: number): { label: string; until: number | null }[] {
  const today = new Date(now);
  const tomorrow = new Date(today.getFullYear(), today.getMonth(), today.getDate() + 1).getTime();
  return [
    { label: t('account.pause_hour'), until: now + HOUR },
    { label: t('account.pause_tomorrow'), until: tomorrow },
    { label: t('account.pause_open'), until: null },
  ];
}
