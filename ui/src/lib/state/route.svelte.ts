/** A page of the window. */
export type Page = { name: 'home' } | { name: 'protect' } | { name: 'account'; did: string };

/** Which page is shown. It lives in the address, so that going back works as everywhere. */
export class Route {
  page = $state.raw<Page>(read(location.hash));

  /** Follows the address until the returned function is called. */
  start(): () => void {
    const follow = () => (this.page = read(location.hash));
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }

  go(page: Page): void {
    location.hash = href(page);
  }
}

/** A page's address. */
export function href(page: Page): string {
  return page.name === 'account' ? `#/account/${page.did}` : page.name === 'protect' ? '#/protect' : '#/';
}

function read(hash: string): Page {
  const did = /^#\/account\/(did:.+)$/.exec(hash)?.[1];
  if (did) return { name: 'account', did };
  return { name: hash === '#/protect' ? 'protect' : 'home' };
}
