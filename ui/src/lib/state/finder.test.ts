import { afterEach, describe, expect, test } from 'vitest';
import { clearMocks, engine, refuse, settled } from '../../test/engine';
import { ALICE, place, problem } from '../../test/made-up';
import { Finder } from './finder.svelte';

afterEach(clearMocks);

const HOME = { path: '/home/a/Skykeep', name: 'Skykeep', kind: 'this_computer', free: 1, known: false };
const DRIVE = { path: '/media/a/Blue/Skykeep', name: 'Blue', kind: 'drive', free: 1, known: false };
const PERSON = { did: ALICE, handle: 'alice.test', known: false };

async function found(answers: Parameters<typeof engine>[0] = {}): Promise<{ finder: Finder; asked: string[] }> {
  const asked = engine({ look_up: () => PERSON, spots: () => [HOME, DRIVE], ...answers });
  const finder = new Finder();
  finder.text = ' @alice.test ';
  await finder.find();
  return { finder, asked };
}

test('from a name to a kept account, with what is ticked already', async () => {
  const told: unknown[] = [];
  const { finder } = await found({
    look_up: ({ text }) => (told.push(text), PERSON),
    protect: (question) => (told.push(question), null),
  });
  await finder.ask([]);
  expect(await finder.protect()).toBe(ALICE);
  expect(told).toEqual(['@alice.test', { did: ALICE, whose: 'mine', folders: [HOME.path, DRIVE.path] }]);
});

test('a second press during an answer asks nothing', async () => {
  const asked = engine({ look_up: () => ({ ...PERSON, known: true }) });
  const finder = new Finder();
  await Promise.all([finder.find(), finder.find()]);
  expect(asked).toEqual(['look_up']);
});

describe('how much there is to keep', () => {
  test('is asked beside, and said when it is known', async () => {
    const { finder } = await found({ extent: () => settled().then(() => ({ records: 12 })) });
    expect([finder.step, finder.extent]).toEqual(['whose', undefined]);
    await settled();
    await settled();
    expect(finder.extent?.records).toBe(12);
  });

  test('is no reason to stop when nobody can say', async () => {
    const { finder } = await found({ extent: () => refuse(problem('note')) });
    await settled();
    expect([finder.extent, finder.problem]).toEqual([null, undefined]);
  });

  test('is not asked of who is kept already', async () => {
    const { asked } = await found({ look_up: () => ({ ...PERSON, known: true }) });
    await settled();
    expect(asked).not.toContain('extent');
  });
});

describe('where the copies go', () => {
  test('a tick can be taken away, and given back', async () => {
    const { finder } = await found();
    await finder.ask([]);
    finder.tick(HOME.path, false);
    expect(finder.chosen).toEqual([DRIVE.path]);
    finder.tick(DRIVE.path, false);
    expect(finder.somewhere).toBe(false);
    finder.tick(HOME.path, true);
    expect(finder.chosen).toEqual([HOME.path]);
  });

  test('places stay, are offered once, and nothing is added to them unasked', async () => {
    const { finder } = await found({ spots: () => [{ ...HOME, known: true }, DRIVE] });
    await finder.ask([place({ path: HOME.path })]);
    expect(finder.offers.map(({ path, known }) => [path, known])).toEqual([
      [HOME.path, true],
      [DRIVE.path, false],
    ]);
    expect([finder.chosen, finder.somewhere]).toEqual([[], true]);
  });

  test.each([
    ['/mnt/nas/', 'nas', ['/mnt/nas/']],
    ['C:\\Copies\\Sky', 'Sky', ['C:\\Copies\\Sky']],
    [null, undefined, []],
  ])('another folder, %s', async (path, name, chosen) => {
    const { finder } = await found({ spots: () => [], 'plugin:dialog|open': () => path });
    await finder.ask([]);
    await finder.chooseFolder();
    await finder.chooseFolder();
    expect(finder.offers.map((offer) => offer.name)).toEqual(name === undefined ? [] : [name]);
    expect(finder.chosen).toEqual(chosen);
  });
});

describe('starting with the system', () => {
  test.each([
    [true, true, [{ starts: true }]],
    [true, false, []],
    [false, true, []],
  ])('the first account: %s, wished: %s', async (first, wished, told) => {
    const questions: unknown[] = [];
    const { finder } = await found({ set_starts_with_system: (question) => (questions.push(question), true) });
    await finder.ask([], first);
    finder.starts = wished;
    await finder.protect();
    expect(questions).toEqual(told);
  });

  test('is no reason to stop when the system does not take it', async () => {
    const { finder } = await found({ set_starts_with_system: () => refuse(problem('note')) });
    await finder.ask([], true);
    expect([await finder.protect(), finder.problem]).toEqual([ALICE, undefined]);
  });

  test('is not asked for an account that was refused', async () => {
    const { finder, asked } = await found({ protect: () => refuse(problem('needs_you')) });
    await finder.ask([], true);
    await finder.protect();
    expect(asked).not.toContain('set_starts_with_system');
  });
});

test('what is refused leads nowhere and says why; going back forgets nothing', async () => {
  const { finder } = await found({ protect: () => refuse(problem('needs_you', { code: 'full' })) });
  finder.whose = 'theirs';
  await finder.ask([]);
  expect(await finder.protect()).toBeUndefined();
  expect([finder.step, finder.problem?.code]).toEqual(['where', 'full']);
  finder.back();
  finder.back();
  expect([finder.step, finder.problem]).toEqual(['who', undefined]);
  expect([finder.text, finder.whose, finder.chosen.length]).toEqual([' @alice.test ', 'theirs', 2]);
});
