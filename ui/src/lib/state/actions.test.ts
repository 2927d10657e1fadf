import { afterEach, expect, test } from 'vitest';
import type { About, Action } from '$lib/bindings';
import { clearMocks, engine } from '../../test/engine';
import { account, ALICE, place } from '../../test/made-up';
import { actionsAbout, actionsBeside } from './actions';
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
  [OF_PLACE, 'check_now', 'check'],
  [OF_PLACE, 'open_place', 'open_place'],
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

test('another place is chosen where they all are', async () => {
  for (const about of [OF_ALICE, OF_PLACE, { kind: 'app' } as const]) {
    location.hash = '#/';
    await actionsAbout(new App(), about).choose_place?.();
    expect(location.hash).toBe('#/places');
  }
});

test('what the page offers already is not offered twice', () => {
  const offered = actionsBeside(new App(), OF_ALICE, ['back_up_now', 'try_again']);
  expect(offered.back_up_now ?? offered.try_again).toBeUndefined();
  expect(offered.check_now).toBeDefined();
});
