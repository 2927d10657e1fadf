import { afterEach, expect, test } from 'vitest';
import type { About, Action } from '$lib/bindings';
import { clearMocks, engine } from '../../test/engine';
import { account, ALICE, place } from '../../test/made-up';
import { actionsAbout } from './actions';
import { App } from './app.svelte';

afterEach(clearMocks);

const OF_ALICE: About = { kind: 'account', did: ALICE };
const OF_PLACE: About = { kind: 'place', id: 'p' };

// What each action asks of the engine.
test.each<[About, Action, string]>([
  [OF_ALICE, 'back_up_now', 'back_up'],
  [OF_ALICE, 'try_again', 'back_up'],
  [OF_ALICE, 'confirm_shrink', 'confirm_shrink'],
  [OF_ALICE, 'resume', 'resume'],
  [OF_ALICE, 'check_now', 'check'],
  [OF_ALICE, 'open_place', 'open_place'],
  [OF_ALICE, 'choose_place', 'plugin:dialog|open'],
  [OF_PLACE, 'check_now', 'check'],
  [OF_PLACE, 'open_place', 'open_place'],
  [OF_PLACE, 'choose_place', 'plugin:dialog|open'],
  [{ kind: 'app' }, 'try_again', 'accounts'],
])('%j: %s asks %s', async (about, action, command) => {
  const asked = engine({
    accounts: () => [account()],
    places: () => [place()],
    check: () => [],
    open_place: () => true,
  });
  const app = new App();
  await app.places.topic.load();
  await actionsAbout(app, about)[action]?.();
  expect(asked).toContain(command);
});

test('without a place there is no folder to open', () => {
  engine({});
  expect(actionsAbout(new App(), OF_ALICE).open_place).toBeUndefined();
});
