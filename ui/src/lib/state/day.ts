// Days and times of day as people type them, on the clock of this computer.

/** The day before a time, as `2026-11-22`. */
export function dayBefore(now: number): string {
  const day = new Date(now);
  day.setDate(day.getDate() - 1);
  const [month, date] = [day.getMonth() + 1, day.getDate()].map((number) => String(number).padStart(2, '0'));
  return `${String(day.getFullYear())}-${month ?? ''}-${date ?? ''}`;
}

/** Whether the calendar has that day: dates that it has not are read as others. */
export function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const day = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text);
}

export const isTime = (text: string): boolean => /^([01]?\d|2[0-3]):[0-5]\d$/.test(text);

/** When that is, in milliseconds since 1970. */
export const momentOf = (day: string, time: string): number => new Date(`${day}T${time.padStart(5, '0')}`).getTime();
