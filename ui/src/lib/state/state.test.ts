import { afterEach, describe, expect, test } from 'vitest';
import type { Account } from '$lib/bindings';
import { clearMocks, engine, refuse, settled, tell } from '../../test/engine';
import { account, ALICE, nothing, problem, progress, snapshot } from '../../test/made-up';
import { Accounts } from './accounts.svelte';
import { App } from './app.svelte';
import { Places } from './places.svelte';
import { href, Route } from './route.svelte';
import { Topic } from './topic.svelte';

afterEach(clearMocks);

describe('a topic', () => {
  test('asks once more, and only once, for all changes during an answer', async () => {
    let asked = 0;
    const topic = new Topic(async () => {
      await settled();
      return ++asked;
    });
    await Promise.all([topic.load(), topic.load(), topic.load()]);
    expect(asked).toBe(2);
    expect(topic.value).toBe(2);
    expect(topic.busy).toBe(false);
  });

  test('keeps what it knew when there is no newer answer, and says why', async () => {
    let fails = false;
    engine({ accounts: () => (fails ? refuse(problem('needs_you')) : [account()]) });
    const { topic } = new Accounts();
    await topic.load();
    fails = true;
    await topic.load();
    expect(topic.value).toHaveLength(1);
    expect(topic.problem?.code).toBe('made_up');
    fails = false;
    await topic.load();
    expect(topic.problem).toBeUndefined();
  });
});

describe('accounts', () => {
  test('show progress from events, and forget it when the run has ended', async () => {
    let run: Account['run'] = progress({ items: 1 });
    const asked = engine({ accounts: () => [account({ run })] });
    const accounts = new Accounts();
    await accounts.load();
    await accounts.hear({ topic: 'run', did: ALICE, progress: progress({ items: 7 }) });
    expect(accounts.find(ALICE)?.run?.items).toBe(7);
    expect(asked).toEqual(['accounts']);
    run = null;
    await accounts.hear({ topic: 'run', did: ALICE, progress: null });
    expect(accounts.find(ALICE)?.run).toBeNull();
  });

  test('show why an intention was refused, until the next one', async () => {
    let refuses = true;
    engine({
      accounts: () => [account()],
      back_up: () => (refuses ? refuse(problem('note', { code: 'busy' })) : null),
    });
    const accounts = new Accounts();
    await accounts.backUp(ALICE);
    expect(accounts.refused(ALICE)?.code).toBe('busy');
    refuses = false;
    await accounts.backUp(ALICE);
    expect(accounts.refused(ALICE)).toBeUndefined();
  });

  test('are stopping until the run is gone', async () => {
    let run: Account['run'] = progress();
    engine({ accounts: () => [account({ run })] });
    const accounts = new Accounts();
    await accounts.load();
    await accounts.stop(ALICE);
    expect(accounts.stopping(ALICE)).toBe(true);
    run = null;
    await accounts.hear({ topic: 'accounts' });
    expect(accounts.stopping(ALICE)).toBe(false);
  });

  test('a failure of the bridge itself becomes a problem in words', async () => {
    engine({
      accounts: () => {
        throw new Error('command accounts not found');
      },
    });
    const accounts = new Accounts();
    await accounts.load();
    expect(accounts.topic.problem).toMatchObject({ code: 'window', detail: 'Error: command accounts not found' });
  });
});

describe('places', () => {
  const place = { id: 'p', name: 'Skykeep', path: '/home/a/Skykeep' };

  test('remember what no file manager would open', async () => {
    let opens = false;
    engine({ places: () => [place], open_place: () => opens });
    const places = new Places();
    await places.open('p');
    expect(places.unopened).toEqual(['p']);
    opens = true;
    await places.open('p');
    expect(places.unopened).toEqual([]);
  });

  test('hold what a check found, and nothing of the one before', async () => {
    let sound = 3;
    engine({ places: () => [place], check: () => (sound < 0 ? refuse(problem('danger')) : [{ place: 'p', sound }]) });
    const places = new Places();
    const checking = places.check('p');
    expect(places.checking).toEqual(['p']);
    await checking;
    expect(places.checking).toEqual([]);
    expect(places.checks.p?.sound).toBe(3);
    sound = -1;
    await places.check('p');
    expect(places.checks.p).toBeUndefined();
    expect(places.refused?.severity).toBe('danger');
  });

  test('know how far a check is, whoever asked for it, until it has ended', async () => {
    const asked = engine({ places: () => [place] });
    const places = new Places();
    const far = { step: 'reading', items: 3, items_total: 9, bytes: 1, bytes_total: 2, seconds_left: null } as const;
    await places.hear({ topic: 'check', place: 'p', progress: far });
    await places.hear({ topic: 'check', place: 'q', progress: { ...far, step: 'mending' } });
    expect(places.checking).toEqual(['p', 'q']);
    expect(places.progress.p).toEqual(far);
    await places.hear({ topic: 'check', place: 'p', progress: null });
    expect(places.checking).toEqual(['q']);
    expect(asked).toEqual([]);
  });

  test('a folder that nobody chose is not added', async () => {
    const asked = engine({ 'plugin:dialog|open': () => null });
    await new Places().choose();
    expect(asked).not.toContain('add_folder');
  });
});

describe('the route', () => {
  test.each([
    ['', { name: 'home' }],
    ['#/nonsense', { name: 'home' }],
    ['#/protect', { name: 'protect' }],
    ['#/places', { name: 'places' }],
    ['#/accounts', { name: 'accounts' }],
    ['#/diagnostics', { name: 'diagnostics' }],
    ['#/account/', { name: 'home' }],
    [`#/account/${ALICE}`, { name: 'account', did: ALICE }],
    [
      `#/account/${ALICE}/20261122T1300Z.a%2Fb.json`,
      { name: 'snapshot', did: ALICE, snapshot: '20261122T1300Z.a/b.json' },
    ],
  ])('%s', (hash, page) => {
    location.hash = hash;
    const route = new Route();
    expect(route.page).toEqual(page);
    if (hash.length > 2 && page.name !== 'home') expect(href(route.page)).toBe(hash);
  });
});

test('the app hears events from the moment it asks, and asks again for what they name', async () => {
  let kept = nothing;
  const asked = engine({
    accounts: () => [account({ kept })],
    places: () => [],
    preferences: () => ({ appearance: 'system' }),
    snapshots: () => (kept === nothing ? [] : [snapshot()]),
  });
  const app = new App();
  const stop = await app.start();
  await app.snapshots.load(ALICE);
  expect(app.snapshots.of(ALICE)?.value).toEqual([]);
  kept = account().kept;
  await tell({ topic: 'accounts' });
  await settled();
  await settled();
  expect(app.accounts.find(ALICE)?.kept.state).toBe('complete');
  expect(app.snapshots.of(ALICE)?.value).toHaveLength(1);
  expect(asked.indexOf('plugin:event|listen')).toBeLessThan(asked.indexOf('accounts'));
  stop();
});
