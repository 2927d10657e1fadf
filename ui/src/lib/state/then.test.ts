import { expect, test } from 'vitest';
import { Then } from './then.svelte';

const NOW = new Date(2026, 10, 23, 5, 30).getTime();

test('it begins with yesterday at noon', () => {
  const then = new Then(NOW);
  expect([then.day, then.time]).toEqual(['2026-11-22', '12:00']);
  expect(then.moment()).toBe(new Date(2026, 10, 22, 12, 0).getTime());
});

test("a day and a time are of this computer's clock, and what is none is said once somebody goes on", () => {
  const check = (day: string, time: string, expected: number | undefined) => {
    const then = Object.assign(new Then(NOW), { day, time });
    expect(then.asked).toBe(false);
    expect(then.moment(), `${day} ${time}`).toBe(expected);
    expect(then.asked).toBe(true);
  };
  check('2026-11-01', '23:59', new Date(2026, 10, 1, 23, 59).getTime());
  check(' 2026-11-01 ', '9:05', new Date(2026, 10, 1, 9, 5).getTime());
  check('2026-11-31', '12:00', undefined);
  check('2026-13-01', '12:00', undefined);
  check('yesterday', '12:00', undefined);
  check('', '12:00', undefined);
  check('2026-11-01', '24:00', undefined);
  check('2026-11-01', '', undefined);
});
