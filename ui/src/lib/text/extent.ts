// How much there is to keep, about.

import type { Extent } from '$lib/bindings';
import { t } from '.';
import { duration, list, size } from './format';

/** One or two sentences; `undefined` while it is asked, `null` when nobody could say. What is not known is not said. */
export function extentWords(extent: Extent | null | undefined): string {
  if (extent === undefined) return t('found.extent_asking');
  const parts = extent ? known(extent) : [];
  if (!extent || parts.length === 0) return t('found.extent_unknown');
  const much = t('found.extent', { what: list(parts) });
  if (extent.seconds === null) return much;
  return t('join.sentences', { before: much, after: t('found.extent_time', { time: duration(extent.seconds) }) });
}

function known({ records, media, media_more: more, bytes }: Extent): string[] {
  return [
    ...(records === null ? [] : [t('found.records', { count: rounded(records) })]),
    ...(media === null ? [] : [t(more ? 'found.media_more' : 'found.media', { count: rounded(media) })]),
    ...(bytes === null ? [] : [t('found.bytes', { size: size(bytes) })]),
  ];
}

/** Two figures are as much as an estimate is worth. */
function rounded(count: number): number {
  return count < 100 ? count : Number(count.toPrecision(2));
}
