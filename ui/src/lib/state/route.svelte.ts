/** A page of the window. */
export type Page =
  | {
      name:
        | 'home'
        | 'accounts'
        | 'places'
        | 'bucket'
        | 'recovery'
        | 'settings'
        | 'diagnostics'
        | 'add'
        | 'protect'
        | 'happened'
        | 'backup';
    }
  | { name: 'account'; did: string }
  | { name: 'snapshot'; did: string; snapshot: string }
  | { name: 'family'; place: string };

type PlainPage = Exclude<Page, { did: string } | { place: string }>['name'];

/** The pages whose name is their address. */
const PLAIN: readonly PlainPage[] = [
  'accounts',
  'places',
  'bucket',
  'recovery',
  'settings',
  'diagnostics',
  'add',
  'protect',
  'happened',
  'backup',
];

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
  switch (page.name) {
    case 'home':
      return '#/';
    case 'account':
      return `#/account/${page.did}`;
    case 'snapshot':
      return `#/account/${page.did}/${encodeURIComponent(page.snapshot)}`;
    case 'family':
      return `#/places/${encodeURIComponent(page.place)}/family`;
    default:
      return `#/${page.name}`;
  }
}

function read(hash: string): Page {
  const [, did, snapshot] = /^#\/account\/(did:[^/]+)(?:\/(.+))?$/.exec(hash) ?? [];
  if (did && snapshot) return { name: 'snapshot', did, snapshot: decodeURIComponent(snapshot) };
  if (did) return { name: 'account', did };
  const [, place] = /^#\/places\/([^/]+)\/family$/.exec(hash) ?? [];
  if (place) return { name: 'family', place: decodeURIComponent(place) };
  const name = PLAIN.find((name) => hash === `#/${name}`);
  return { name: name ?? 'home' };
}
