// What each action beside a problem does, for whoever it concerns. An action that nothing stands behind is not there.

import type { About, Action } from '$lib/bindings';
import type { App } from './app.svelte';

export type Actions = Partial<Record<Action, () => unknown>>;

/** What can be done about a problem of an account, of a place, or of Skykeep itself. */
export function actionsAbout(app: App, about: About): Actions {
  switch (about.kind) {
    case 'account':
      return ofAccount(app, about.did);
    case 'place':
      return ofPlace(app, about.id);
    case 'app':
      return { try_again: () => app.load(), choose_place: () => toPlaces(app) };
  }
}

/** The same but for what the page itself offers already: one thing is one button. */
export function actionsBeside(app: App, about: About, offered: Action[]): Actions {
  const all = Object.entries(actionsAbout(app, about)) as [Action, () => unknown][];
  return Object.fromEntries(all.filter(([action]) => !offered.includes(action)));
}

function ofAccount(app: App, did: string): Actions {
  const backUp = () => app.accounts.backUp(did);
  const [first] = app.places.all;
  return {
    back_up_now: backUp,
    try_again: backUp,
    confirm_shrink: () => app.accounts.confirmShrink(did),
    resume: () => app.accounts.resume(did),
    choose_place: () => toPlaces(app),
    check_now: () => app.places.checkAll(),
    ...(first && { open_place: () => app.places.open(first.id) }),
    change_keys: () => toKeys(app, refusing(app)),
    enter_did: () => app.route.go({ name: 'protect' }),
  };
}

function ofPlace(app: App, id: string): Actions {
  return {
    open_place: () => app.places.open(id),
    check_now: () => app.places.check(id),
    try_again: () => app.places.check(id),
    choose_place: () => toPlaces(app),
    change_keys: () => toKeys(app, id),
  };
}

/** The only bucket that refuses, or the only one there is. */
function refusing(app: App): string | undefined {
  const buckets = app.places.all.filter(({ kind }) => kind === 'bucket');
  const refused = buckets.filter(({ state }) => state === 'refused');
  const [only, more] = refused.length > 0 ? refused : buckets;
  return more ? undefined : only?.id;
}

/** The page where buckets are given keys; it asks for those of one at once, if it is known which. */
function toKeys(app: App, id: string | undefined): void {
  if (id !== undefined) app.rekey.ask(id);
  toPlaces(app);
}

/** The page that offers drives and folders. */
const toPlaces = (app: App) => app.route.go({ name: 'places' });
