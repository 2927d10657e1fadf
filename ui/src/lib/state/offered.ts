// Choices that are a number underneath.

/** The values that are offered, with the one that stands even if it is none of them, in order. */
export function offered(values: readonly number[], stands: number | null): number[] {
  const all = stands === null || values.includes(stands) ? [...values] : [...values, stands];
  return all.sort((one, other) => one - other);
}

/** Minutes of the day, every half an hour, with the one that stands. */
export function halfHours(stands: number): number[] {
  return offered(
    Array.from({ length: 48 }, (_, half) => half * 30),
    stands,
  );
}
