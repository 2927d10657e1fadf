import { afterEach, describe, expect, test } from 'vitest';
import { clearMocks, engine, refuse } from '../../test/engine';
import { account, ALICE, problem } from '../../test/made-up';
import { Opened } from './opened.svelte';

afterEach(clearMocks);

const PATH = '/media/a/Blue/Skykeep';
const FOUND = { path: PATH, kind: 'backup', known: false, accounts: [{ did: ALICE }], problems: [] };
const IMPORTED = [{ id: 's1', records: 3, missing: [] }];

async function opened(answers: Parameters<typeof engine>[0] = {}): Promise<{ opened: Opened; asked: string[] }> {
  const asked = engine({ 'plugin:dialog|open': () => PATH, look_into: () => FOUND, ...answers });
  const opened = new Opened();
  await opened.chooseFolder();
  return { opened, asked };
}

test('looking changes nothing', async () => {
  const { opened: folder, asked } = await opened();
  expect(folder.found?.path).toBe(PATH);
  expect(asked).toEqual(['plugin:dialog|open', 'look_into']);
});

test('nothing chosen is nothing opened, and what was open stays', async () => {
  let path: string | null = PATH;
  const { opened: folder } = await opened({ 'plugin:dialog|open': () => path });
  path = null;
  await folder.chooseFile('Backup');
  expect(folder.found?.path).toBe(PATH);
});

test('what cannot be read is said, and another one can be opened', async () => {
  let readable = false;
  const { opened: folder } = await opened({ look_into: () => (readable ? FOUND : refuse(problem('needs_you'))) });
  expect([folder.found, folder.problem?.code]).toEqual([undefined, 'made_up']);
  readable = true;
  await folder.chooseFolder();
  expect([folder.found?.path, folder.problem]).toEqual([PATH, undefined]);
});

test('a place that is taken over hands over its accounts', async () => {
  const paths: unknown[] = [];
  const { opened: folder } = await opened({ take_over: ({ path }) => (paths.push(path), [account()]) });
  await folder.takeOver();
  expect([paths, folder.taken?.length, folder.busy]).toEqual([[PATH], 1, undefined]);
  folder.close();
  expect([folder.found, folder.taken]).toEqual([undefined, undefined]);
});

describe('an import', () => {
  test('is of the account that is in the file', async () => {
    const questions: unknown[] = [];
    const { opened: file, asked } = await opened({ import: (question) => (questions.push(question), IMPORTED) });
    await file.import(ALICE, 1);
    expect(questions).toEqual([{ name: ALICE, paths: [PATH] }]);
    expect(file.imported[ALICE]).toEqual(IMPORTED);
    expect(asked).not.toContain('add_folder');
  });

  test('has somewhere to go, even before there is a place', async () => {
    const folders: unknown[] = [];
    const { opened: file } = await opened({
      spots: () => [{ path: '/home/a/Skykeep' }, { path: '/media/a/Blue/Skykeep' }],
      add_folder: ({ path }) => folders.push(path),
      import: () => IMPORTED,
    });
    await file.import(ALICE, 0);
    expect(folders).toEqual(['/home/a/Skykeep']);
    expect(file.imported[ALICE]).toEqual(IMPORTED);
  });

  test('that is refused imports nothing, and says why', async () => {
    const { opened: file } = await opened({ import: () => refuse(problem('danger', { code: 'import_forged' })) });
    await file.import(ALICE, 1);
    expect([file.imported, file.problem?.code, file.busy]).toEqual([{}, 'import_forged', undefined]);
  });
});
