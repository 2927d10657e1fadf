/** A copy without one key. */
export function without<All extends object>(all: All, key: keyof All): All {
  return Object.fromEntries(Object.entries(all).filter(([other]) => other !== key)) as All;
}

/** A copy with some keys only. */
export function only<T>(all: Record<string, T>, keys: string[]): Record<string, T> {
  return Object.fromEntries(Object.entries(all).filter(([key]) => keys.includes(key)));
}
