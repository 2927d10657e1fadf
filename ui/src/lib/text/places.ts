// Places in words: how one is, and the one line for all of them.

import type { BucketAbilities, Place, ReadSoFar } from '$lib/bindings';
import { t } from '.';
import { ago, size } from './format';
import type { Standing, Tone } from './standing';

/** How a place is, at a glance. An absent drive is no fault, nor one that backups no longer go to. */
export function toneOfPlace({ state, busy, role }: Place): Tone {
  if (role.is === 'retired') return 'plain';
  switch (state) {
    case 'ready':
      return busy ? 'accent' : 'safe';
    case 'absent':
      return 'plain';
    case 'read_only':
    case 'full':
    case 'other':
    case 'refused':
      return 'needs';
  }
}

/** How a place is, in words. While it is written to, that is what matters. */
export function stateOfPlace({ kind, state, busy, removable, role }: Place): string {
  if (role.is === 'retired' && !busy) return t('place.retired');
  if (kind === 'bucket' && state === 'absent') return t('place.unreachable');
  if (state === 'ready' && busy) return t(removable ? 'place.busy' : 'places.busy');
  return t(`place.${state}`);
}

/** How much of a place was read again since when. */
export function readSoFar({ since, bytes, of_bytes: whole }: ReadSoFar, now: number): string {
  return t('place.read_so_far', { done: size(bytes), size: size(whole), when: ago(since, now) });
}

/** What a bucket's server can, and what that means for whoever keeps backups there. */
export function meaningOf(can: BucketAbilities | null): { tone: Tone; text: string }[] {
  if (!can) return [];
  const locked = can.locked_days ?? 0;
  return [
    ...(can.encrypted ? [] : [{ tone: 'needs' as const, text: t('tested.plain') }]),
    { tone: 'plain' as const, text: t(can.versioning ? 'tested.versions' : 'tested.no_versions') },
    ...(locked > 0 ? [{ tone: 'safe' as const, text: t('tested.locked', { count: locked }) }] : []),
    // Who may write can write over what is there: without earlier versions that is as good as deleting it.
    ...(can.locked_days === 0 && (can.deletes || !can.versioning)
      ? [{ tone: 'needs' as const, text: t('tested.unlocked') }]
      : []),
  ];
}

/** The first line of the page of places. */
export function standingOfPlaces(all: Place[]): Standing {
  const places = all.filter(({ role }) => role.is !== 'retired');
  const count = places.length;
  // Damage that nobody in reach can put right: whoever has another copy is to connect it.
  const needing = places.filter((place) => toneOfPlace(place) === 'needs' || place.damaged.length > 0).length;
  const absent = places.filter(({ state }) => state === 'absent').length;
  const busy = places.some((place) => place.busy);
  const details = [
    ...(places.length > 0 && places.every((place) => place.this_computer) ? [t('place.on_this_computer')] : []),
    ...(absent > 0 ? [t('places.absent', { count: absent })] : []),
    ...(busy ? [t('places.busy')] : []),
  ];
  if (count === 0) return { tone: 'needs', headline: t('places.none'), details: [t('places.none_more')] };
  if (needing > 0) return { tone: 'needs', headline: t('places.needs', { count: needing }), details };
  if (absent === count)
    return { tone: 'plain', headline: t('places.away', { count }), details: [t('places.away_more')] };
  return { tone: 'safe', headline: t('places.kept_in', { count }), details };
}
