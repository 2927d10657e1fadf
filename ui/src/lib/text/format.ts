// Times, sizes and durations the way people say them. Pure: the time that it is comes in as an argument.

import { intl, t } from '.';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const relative = () => intl(Intl.RelativeTimeFormat, { numeric: 'auto' });
const clock = () => intl(Intl.DateTimeFormat, { timeStyle: 'short' });
const weekday = () => intl(Intl.DateTimeFormat, { weekday: 'long', day: 'numeric', month: 'long' });
const date = () => intl(Intl.DateTimeFormat, { day: 'numeric', month: 'long', year: 'numeric' });
const exactTime = () => intl(Intl.DateTimeFormat, { dateStyle: 'long', timeStyle: 'medium' });

/** "12 minutes ago", "3 hours ago", "2 days ago"; "just now" within a minute. */
export function ago(then: number, now: number): string {
  const past = Math.max(0, now - then);
  if (past < MINUTE) return t('time.just_now');
  if (past < HOUR) return close(relative().format(-Math.floor(past / MINUTE), 'minute'));
  if (past < DAY) return close(relative().format(-Math.floor(past / HOUR), 'hour'));
  return close(relative().format(-Math.floor(past / DAY), 'day'));
}

/** "at 14:00", "yesterday at 14:00", "on 12 May 2026 at 14:00"; past and future. */
export function at(time: number, now: number): string {
  const hour = timeOfDay(time);
  const days = daysBetween(now, time);
  if (days === 0) return t('time.at', { time: hour });
  if (days === -1) return t('time.yesterday_at', { time: hour });
  if (days === 1) return t('time.tomorrow_at', { time: hour });
  return t('time.on_at', { date: date().format(time), time: hour });
}

/** "today at 14:00", "yesterday at 14:00", "12 May 2026, 14:00": for a fact that stands by itself. */
export function dated(time: number, now: number): string {
  if (daysBetween(now, time) === 0) return t('time.today_at', { time: timeOfDay(time) });
  return moment(time, now);
}

/** "14:00", "yesterday at 14:00", "12 May 2026, 14:00": for "since …". */
export function moment(time: number, now: number): string {
  const hour = timeOfDay(time);
  const days = daysBetween(now, time);
  if (days === 0) return hour;
  if (days === -1) return t('time.yesterday_at', { time: hour });
  return t('time.date_at', { date: date().format(time), time: hour });
}

/** "14:00", as the system writes it. */
export function timeOfDay(time: number): string {
  return clock().format(time);
}

/** "Today", "Yesterday", "Tuesday, 12 May", "12 May 2025". */
export function day(time: number, now: number): string {
  const days = daysBetween(now, time);
  if (days === 0) return t('time.today');
  if (days === -1) return t('time.yesterday');
  return days > -300 ? weekday().format(time) : date().format(time);
}

/** "12 May 2026". */
export function dateOf(time: number): string {
  return date().format(time);
}

/** "12 May 2026 at 14:00:05". */
export function exact(time: number): string {
  return exactTime().format(time);
}

/** Whole calendar days from one time to another, by the local calendar. */
export function daysBetween(from: number, to: number): number {
  const midnight = (time: number) => new Date(time).setHours(0, 0, 0, 0);
  return Math.round((midnight(to) - midnight(from)) / DAY);
}

/** "84 MB", "1.2 GB": thousands, as disks and file managers count. */
export function size(bytes: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
  const step = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** step;
  const digits = step > 0 && value < 10 ? 1 : 0;
  const format = intl(Intl.NumberFormat, {
    style: 'unit',
    unit: units[step] ?? 'byte',
    unitDisplay: step === 0 ? 'long' : 'short',
    maximumFractionDigits: digits,
  });
  return format.format(value);
}

/** "40 seconds", "3 minutes", "2 hours": rounded as far as an estimate is worth. */
export function duration(seconds: number): string {
  const [value, unit]: [number, string] =
    seconds < 55
      ? [Math.max(10, Math.ceil(seconds / 10) * 10), 'second']
      : seconds < 3300
        ? [Math.ceil(seconds / 60), 'minute']
        : [Math.ceil(seconds / 3600), 'hour'];
  return close(intl(Intl.NumberFormat, { style: 'unit', unit, unitDisplay: 'long' }).format(value));
}

/** Without the space that Intl writes between a digit and Chinese characters, where no text around it has one. */
function close(text: string): string {
  return text.replace(/(\d)\s(?=\p{Script=Han})/gu, '$1');
}

/** "12,840". */
export function number(value: number): string {
  return intl(Intl.NumberFormat).format(value);
}

/** "nothing new on 9, failed on 2": parts of a sentence beside each other, without an "and". */
export function listed(items: string[]): string {
  return items.join(t('punctuation.comma'));
}

/** "Skykeep and Family drive", "a, b and c". */
export function list(items: string[]): string {
  return intl(Intl.ListFormat).format(items);
}

/** "Every 15 minutes", "Every hour", "Once a day". */
export function every(minutes: number): string {
  if (minutes % 1440 === 0) return t('settings.every_days', { count: minutes / 1440 });
  if (minutes % 60 === 0) return t('settings.every_hours', { count: minutes / 60 });
  return t('settings.every_minutes', { count: minutes });
}

/** "22:00": a minute of the day, by the clock on the wall. */
export function minuteOfDay(minute: number): string {
  return timeOfDay(new Date(2026, 0, 1, 0, minute).getTime());
}

/** "30 %", as the language writes it. */
export function percent(value: number): string {
  return intl(Intl.NumberFormat, { style: 'percent' }).format(value / 100);
}
