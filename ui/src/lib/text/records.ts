// What records are, in everyday words.

import type { Changes, CollectionCount, Snapshot } from '$lib/bindings';
import { t } from '.';
import { dateOf } from './format';

/** Kinds of records people know by name, in the order they care about them. The rest are "other records". */
const KINDS = [
  ['app.bsky.feed.post', 'records.post'],
  ['app.bsky.feed.like', 'records.like'],
  ['app.bsky.feed.repost', 'records.repost'],
  ['app.bsky.graph.follow', 'records.follow'],
  ['app.bsky.graph.block', 'records.block'],
  ['app.bsky.graph.list', 'records.list'],
  ['app.bsky.graph.listitem', 'records.listed'],
  ['app.bsky.feed.generator', 'records.feed'],
  ['app.bsky.feed.threadgate', 'records.gate'],
  ['app.bsky.actor.profile', 'records.profile'],
] as const;

/** Number of records by kind, in KINDS' order, the other ones last and together. */
function byKind(collections: CollectionCount[]): number[] {
  const counts = new Array<number>(KINDS.length + 1).fill(0);
  for (const { collection, records } of collections) {
    const kind = KINDS.findIndex(([name]) => name === collection);
    const place = kind === -1 ? KINDS.length : kind;
    counts[place] = (counts[place] ?? 0) + records;
  }
  return counts;
}

function named(kind: number, count: number): string {
  return t(KINDS[kind]?.[1] ?? 'records.other', { count });
}

/** "12 posts", "30 likes", …: every kind that there is. */
export function kinds(collections: CollectionCount[]): string[] {
  return byKind(collections).flatMap((count, kind) => (count > 0 ? [named(kind, count)] : []));
}

/** "+3 posts", "−1 like", "+2 pictures and videos": what a snapshot holds more or less than the one before it. */
export function difference(earlier: Snapshot, later: Snapshot): string[] {
  const before = byKind(earlier.collections);
  const found = byKind(later.collections).flatMap((count, kind) => signed(kind, count - (before[kind] ?? 0)));
  const media = later.media - earlier.media;
  return media === 0 ? found : [...found, `${sign(media)}${t('account.media', { count: Math.abs(media) })}`];
}

function signed(kind: number, change: number): string[] {
  return change === 0 ? [] : [`${sign(change)}${named(kind, Math.abs(change))}`];
}

function sign(change: number): string {
  return change > 0 ? '+' : '−';
}

/** "3 posts added", "1 profile changed", "2 likes gone": what a snapshot changed, kind by kind. */
export function changeWords({ collections, media_added: added, media_removed: removed }: Changes): string[] {
  const of = (what: 'added' | 'changed' | 'removed') =>
    byKind(collections.map((change) => ({ collection: change.collection, records: change[what] }))).flatMap(
      (count, kind) => (count > 0 ? [t(`changes.${what}`, { what: named(kind, count) })] : []),
    );
  const media = (what: 'added' | 'removed', count: number) =>
    count > 0 ? [t(`changes.${what}`, { what: t('account.media', { count }) })] : [];
  return [...of('added'), ...of('changed'), ...of('removed'), ...media('added', added), ...media('removed', removed)];
}

/** "A post of 12 May 2026": a record's path, as far as it tells something. */
export function nameOfRecord(path: string): string {
  const [collection = '', key = ''] = path.split('/').slice(-2);
  const kind =
    collection === 'app.bsky.feed.post'
      ? t('records.of_post')
      : collection === 'app.bsky.actor.profile'
        ? t('records.of_profile')
        : t('records.of_other');
  const time = timeOfTid(key);
  return time === undefined ? kind : t('records.dated', { kind, date: dateOf(time) });
}

/** When a record was made, from a key that is a TID: 13 letters of base32, microseconds and 10 bits of clock id. */
export function timeOfTid(key: string): number | undefined {
  if (!/^[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}$/.test(key)) return undefined;
  let value = 0n;
  for (const letter of key) value = value * 32n + BigInt('234567abcdefghijklmnopqrstuvwxyz'.indexOf(letter));
  return Number((value >> 10n) / 1000n);
}
