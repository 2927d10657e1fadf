/** "Skykeep alice.test 2026-11-22 1412": what a portable copy's own folder is called. */
export function copyName(account: { did: string; handle: string | null }, now: number): string {
  const time = new Date(now);
  const two = (value: number) => String(value).padStart(2, '0');
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `Skykeep ${account.handle ?? account.did} ${date} ${two(time.getHours())}${two(time.getMinutes())}`;
}
