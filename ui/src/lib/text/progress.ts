// How far a run or a check is, in words.

import type { Phase, Progress } from '$lib/bindings';
import { t } from '.';
import { duration, size } from './format';

/** What is known of a part of a run, or of a check, which has no phase. */
type Far = Omit<Progress, 'did' | 'phase'> & { phase?: Phase };

/** The parts of a run, in order. */
export const PHASES: Phase[] = ['asking', 'fetching', 'verifying', 'keeping', 'media', 'delivering'];

/** "120 of 312 pictures and videos · 34 MB of 80 MB · about 2 minutes left"; what is not known is not said. */
export function progressWords(progress: Far): string {
  return [itemWords(progress), byteWords(progress), timeWords(progress)].filter(Boolean).join(' · ');
}

function itemWords({ phase, items, items_total: total }: Far): string {
  if (total === null || total === 0) return items > 0 ? t('run.items', { count: items }) : '';
  return t(phase === 'media' ? 'run.items_media' : 'run.items_files', { done: items, count: total });
}

function byteWords({ bytes, bytes_total: total }: Far): string {
  if (total === null || total === 0) return bytes > 0 ? size(bytes) : '';
  return t('run.bytes', { done: size(bytes), total: size(total) });
}

function timeWords({ seconds_left: left }: Far): string {
  if (left === null) return '';
  return left < 5 ? t('run.left_moments') : t('run.left', { time: duration(left) });
}

/** How much of the phase is done, out of what: bytes when their total is known, else items; null when nobody knows. */
export function share(progress: Far): { value: number; total: number | null } {
  if (progress.bytes_total) return { value: progress.bytes, total: progress.bytes_total };
  return { value: progress.items, total: progress.items_total };
}
