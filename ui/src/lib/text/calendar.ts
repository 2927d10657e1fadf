// The calendar strip: where its cells begin, how each looks, and the same in words. Pure.

import type { Cell } from '$lib/bindings';
import { t } from '.';
import { listed } from './format';

export const DAYS = 56;
export const HOURS = 24;
/** Five years: growth is told by days that far back. */
export const GROWTH_DAYS = 1827;
const HOUR = 3_600_000;

/** How a cell is drawn. Each look has a shape of its own, so that it reads without colour. */
export type Look = 'kept' | 'unchanged' | 'skipped' | 'failed' | 'nothing';

const LOOKS: readonly Look[] = ['kept', 'unchanged', 'skipped', 'failed', 'nothing'];

/** Local midnights, oldest first; the last one is today's. A day may have 23 or 25 hours. */
export function dayStarts(now: number, days = DAYS): number[] {
  const today = new Date(now);
  return Array.from({ length: days }, (_, index) =>
    new Date(today.getFullYear(), today.getMonth(), today.getDate() - (days - 1 - index)).getTime(),
  );
}

/** Full hours, oldest first; the last one is the one that it is. */
export function hourStarts(now: number): number[] {
  const hour = new Date(now).setMinutes(0, 0, 0);
  return Array.from({ length: HOURS }, (_, index) => hour - (HOURS - 1 - index) * HOUR);
}

/** The best that happened in a cell: something new kept, else a check, else why there was none. */
export function lookOf({ kept, unchanged, skipped, failed }: Cell): Look {
  if (kept > 0) return 'kept';
  if (unchanged > 0) return 'unchanged';
  if (failed > 0) return 'failed';
  return skipped > 0 ? 'skipped' : 'nothing';
}

/** "3 backups kept something new, 20 found nothing new": what happened in a cell. */
export function cellWords(cell: Cell): string {
  const said = [
    cell.kept > 0 && t('calendar.cell_kept', { count: cell.kept }),
    cell.unchanged > 0 && t('calendar.cell_unchanged', { count: cell.unchanged }),
    cell.skipped > 0 && t('calendar.cell_skipped', { count: cell.skipped }),
    cell.failed > 0 && t('calendar.cell_failed', { count: cell.failed }),
  ].filter((words) => words !== false);
  return said.length > 0 ? listed(said) : t('calendar.cell_nothing');
}

/** Whether something failed although something else went well: the cell shows both. */
export function isMixed(cell: Cell): boolean {
  return cell.failed > 0 && lookOf(cell) !== 'failed';
}

/** The strip in one sentence; what did not happen is not said. */
export function stripWords(cells: Cell[], unit: 'day' | 'hour'): string {
  const looks = cells.map(lookOf);
  const count = {
    ...Object.fromEntries(LOOKS.map((look) => [look, looks.filter((other) => other === look).length])),
    mixed: cells.filter(isMixed).length,
  } as Record<Look | 'mixed', number>;
  const said = (['kept', 'unchanged', 'skipped', 'failed', 'mixed'] as const).flatMap((what) =>
    count[what] > 0 ? [t(`calendar.${unit}s_${what}`, { count: count[what] })] : [],
  );
  const [first = ''] = Array.from(said[0] ?? '');
  const words = first.toLocaleUpperCase() + listed(said).slice(first.length);
  return said.length > 0 ? t('punctuation.sentence', { words }) : t('calendar.nothing');
}
