// What a snapshot brought, in words.

import type { Snapshot } from '$lib/bindings';
import { t } from '.';
import { difference, kinds } from './records';

/** What there is to say of a snapshot on one line; `earlier` is the one before it, when there is one. */
export function news(snapshot: Snapshot, earlier: Snapshot | undefined): string[] {
  return [...content(snapshot, earlier), ...cautions(snapshot, earlier)];
}

function content(snapshot: Snapshot, earlier: Snapshot | undefined): string[] {
  if (snapshot.imported) return [t('snapshots.imported'), ...kinds(snapshot.collections).slice(0, 2)];
  if (!earlier) return [t('snapshots.first'), ...kinds(snapshot.collections).slice(0, 2)];
  if (snapshot.unchanged) return [t('snapshots.unchanged')];
  const found = difference(earlier, snapshot);
  return found.length > 0 ? found : [t('snapshots.changed')];
}

function cautions(snapshot: Snapshot, earlier: Snapshot | undefined): string[] {
  const said = [];
  const missing = snapshot.media_missing.length;
  // What was missing before is no news; it stands in the details.
  if (missing > (earlier?.media_missing.length ?? 0)) said.push(t('snapshots.missing', { count: missing }));
  if (snapshot.media_pending > 0) said.push(t('snapshots.pending', { count: snapshot.media_pending }));
  if (snapshot.pinned) said.push(t('snapshots.pinned'));
  return said;
}

/** Reasons that have words of their own; writers are free to name others. */
const REASONS = [
  'not_found',
  'mismatch',
  'too_large',
  'forbidden',
  'refused',
  'host_error',
  'unusable',
  'not_in_import',
] as const;

/** Why a picture or video could not be had, from the reason that a manifest names. */
export function whyMissing(reason: string): string {
  return t(`missing.${REASONS.find((known) => known === reason) ?? 'other'}`);
}
