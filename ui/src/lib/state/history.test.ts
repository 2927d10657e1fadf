import { afterEach, expect, test } from 'vitest';
import type { Cell } from '$lib/bindings';
import { clearMocks, engine, refuse } from '../../test/engine';
import { account, ALICE, place, problem } from '../../test/made-up';
import { Accounts } from './accounts.svelte';
import { History } from './history.svelte';
import { Places } from './places.svelte';
import { copyName } from '$lib/text/copies';
import { inside, Portable } from './portable.svelte';
import { Snapshots } from './snapshots.svelte';

afterEach(clearMocks);

const cell: Cell = { kept: 0, unchanged: 1, skipped: 0, failed: 0 };
const calendar = ({ starts }: Record<string, unknown>) => (starts as number[]).map(() => cell);

test('the calendar of an account is asked for again when that account ran, and only then', async () => {
  const asked = engine({ calendar, runs: () => [] });
  const history = new History();
  await history.load(ALICE);
  expect(history.calendar(ALICE)?.dayCells).toHaveLength(56);
  expect(history.calendar(ALICE)?.hourCells).toHaveLength(24);
  expect(history.calendar(null)).toBeUndefined();
  const before = asked.length;
  await history.hear({ topic: 'run', did: 'did:plc:other', progress: null });
  await history.hear({ topic: 'places' });
  expect(asked).toHaveLength(before);
  await history.hear({ topic: 'run', did: ALICE, progress: null });
  expect(asked.length).toBeGreaterThan(before);
});

test('how much is kept over time is asked by the days of the clock here, and again when something ran', async () => {
  const asked: number[][] = [];
  engine({ storage: ({ starts }) => (asked.push(starts as number[]), { accounts: [], growth: [] }) });
  const history = new History();
  await history.hear({ topic: 'accounts' });
  expect(asked).toHaveLength(0);
  await history.loadStorage();
  await history.hear({ topic: 'run', did: ALICE, progress: null });
  expect(asked).toHaveLength(2);
  const today = new Date(asked[1]?.at(-1) ?? 0);
  expect([today.toDateString(), today.getHours()]).toEqual([new Date().toDateString(), 0]);
});

test('what a snapshot changed is asked once, and again only when that failed', async () => {
  let fails = true;
  const asked = engine({ changes: () => (fails ? refuse(problem('note')) : { removed: [] }) });
  const snapshots = new Snapshots();
  await snapshots.loadChanges(ALICE, 's1');
  expect(snapshots.changes(ALICE, 's1')?.problem?.code).toBe('made_up');
  fails = false;
  await snapshots.loadChanges(ALICE, 's1');
  await snapshots.loadChanges(ALICE, 's1');
  expect(asked).toHaveLength(2);
});

test('"Back up now" for all starts what does not run', async () => {
  const asked: unknown[] = [];
  const running = { ...account({ did: 'did:plc:busy' }), run: {} };
  engine({ accounts: () => [account(), running], back_up: ({ did }) => (asked.push(did), null) });
  const accounts = new Accounts();
  await accounts.load();
  await accounts.backUpAll();
  expect(asked).toEqual([ALICE]);
});

test('an account that could not be let go of is still there, and says why', async () => {
  engine({ accounts: () => [account()], stop_protecting: () => refuse(problem('needs_you')) });
  const accounts = new Accounts();
  expect(await accounts.stopProtecting(ALICE)).toBe(false);
  expect(accounts.refused(ALICE)?.severity).toBe('needs_you');
});

test('only drives that are no places are offered, and no more once one is', async () => {
  let known = false;
  engine({
    places: () => [place()],
    spots: () => [
      { path: '/home/a/Skykeep', name: 'Skykeep', kind: 'this_computer', free: null, known: false },
      { path: '/media/a/Skykeep', name: 'Stick', kind: 'drive', free: null, known },
    ],
    add_folder: () => ((known = true), place()),
  });
  const places = new Places();
  await places.loadSpots();
  expect(places.drives.map(({ name }) => name)).toEqual(['Stick']);
  await places.add('/media/a/Skykeep');
  expect(places.drives).toEqual([]);
});

test('a portable copy goes into a folder of its own, and nowhere when none was chosen', async () => {
  let folder: string | null = null;
  const asked: unknown[] = [];
  engine({
    'plugin:dialog|open': () => folder,
    export: (question) => (asked.push(question), { folder: question.folder, missing: [] }),
  });
  const portable = new Portable();
  await portable.make(ALICE, null, 'copy');
  expect([asked, portable.done]).toEqual([[], undefined]);
  folder = '/media/stick';
  await portable.make(ALICE, 's1', 'copy');
  expect(asked).toEqual([{ did: ALICE, snapshot: 's1', folder: '/media/stick/copy' }]);
  expect(portable.done?.folder).toBe('/media/stick/copy');
});

test.each([
  ['/media/stick', 'a', '/media/stick/a'],
  ['/', 'a', '/a'],
  ['C:\\Users\\a', 'b', 'C:\\Users\\a\\b'],
  ['D:\\', 'b', 'D:\\b'],
  ['/m', 'Skykeep did:web:a/../b', '/m/Skykeep did-web-a-..-b'],
])('inside %s, %s is %s', (folder, name, path) => {
  expect(inside(folder, name)).toBe(path);
});

test('its folder is named by whose it is and when', () => {
  const now = new Date(2026, 0, 2, 3, 4).getTime();
  expect(copyName({ did: ALICE, handle: 'alice.test' }, now)).toBe('Skykeep alice.test 2026-01-02 0304');
});
