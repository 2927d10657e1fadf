// Who shares a place, in words: the one line for all, how each of them fares, and how much room there is.

import type { Family, Finding, Member, Room } from '$lib/bindings';
import { t } from '.';
import { at, daysBetween, size } from './format';
import type { Standing, Tone } from './standing';

/** The first line of the page. */
export function standingOfFamily({ name: place, members, away, read, room }: Family, now: number): Standing {
  const count = members.length;
  const late = members.filter(({ late }) => late === 'week' || late === 'month').length;
  const unknown = members.filter(({ late }) => late === 'unknown').length;
  const changed = members.filter(({ findings }) => findings.some((finding) => isAlarm(finding, now))).length;
  const when = at(read, now);
  const details = [
    ...(room.state === 'enough' ? [] : [t(`family.${room.state}`, { place })]),
    t(away ? 'family.away' : 'family.read', { place, when }),
  ];
  if (count === 0) {
    return { tone: 'plain', headline: t('family.none', { place }), details: [t('family.none_more'), ...details] };
  }
  if (changed > 0) return { tone: 'needs', headline: t('family.changed', { count: changed, place }), details };
  if (late > 0) return { tone: 'needs', headline: t('family.late', { count: late, place }), details };
  if (unknown > 0) return { tone: 'needs', headline: t('family.unknown', { count: unknown, place }), details };
  const tone = room.state !== 'enough' ? 'needs' : away ? 'plain' : 'safe';
  return { tone, headline: t('family.well', { count, place }), details };
}

/** How somebody fares, at a glance and in a sentence. */
export function standingOfMember(member: Member, now: number): { tone: Tone; text: string } {
  const count = member.last_backup === null ? 0 : daysBetween(member.last_backup, now);
  switch (member.late) {
    case 'no':
      return { tone: 'safe', text: t('family.fresh') };
    case 'week':
      return { tone: 'needs', text: t('family.week', { count }) };
    case 'month':
      return { tone: 'needs', text: t('family.month', { count }) };
    case 'unknown':
      return { tone: 'plain', text: t(member.did === null ? 'family.someone_more' : 'family.never_more') };
  }
}

const CAN_BE_UNDONE = 72 * 60 * 60 * 1000;

/** Whether a change may be an attack that can still be undone. Another handle alone is none. */
export function isAlarm({ at: when, what }: Finding, now: number): boolean {
  return what !== 'handle' && now - when < CAN_BE_UNDONE;
}

/** What happened to an identity, and when. */
export function found({ at: then, what, now: value }: Finding, now: number): string {
  const when = at(then, now);
  switch (what) {
    case 'host':
      return t('family.found_host', { when, value: value ?? '' });
    case 'handle':
      return value === null ? t('family.found_no_handle', { when }) : t('family.found_handle', { when, value });
    default:
      return t(`family.found_${what}`, { when });
  }
}

/** What somebody uses, beside a fair share where there is one. */
export function usedBy({ bytes, over_share: over }: Member, { share }: Room): string {
  if (share === null) return size(bytes);
  return t(over ? 'family.over' : 'family.of_share', { size: size(bytes), share: size(share) });
}

/** When a place is full, as exactly as a forecast is worth. */
export function fullIn(days: number): string {
  if (days < 60) return t('family.full_days', { count: days });
  if (days < 730) return t('family.full_months', { count: Math.floor(days / 30) });
  return t('family.full_years', { count: Math.floor(days / 365) });
}

/** By which computers somebody is backed up, as a list. */
export function computersOf({ computers }: Member): string[] {
  const others = computers.filter((computer) => !computer.this).length;
  return [
    ...(computers.length > others ? [t('family.this')] : []),
    ...(others > 0 ? [t('family.others', { count: others })] : []),
  ];
}
