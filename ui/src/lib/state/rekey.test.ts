import { afterEach, expect, test } from 'vitest';
import { clearMocks, engine, refuse } from '../../test/engine';
import { place, problem } from '../../test/made-up';
import { actionsAbout } from './actions';
import { App } from './app.svelte';
import { Rekey } from './rekey.svelte';

afterEach(clearMocks);

function typed(): Rekey {
  const rekey = new Rekey();
  rekey.ask('p');
  return Object.assign(rekey, { access: ' AKID\n', secret: ' hush ' });
}

test('nothing is asked of the engine while a key is missing, and which one is said', async () => {
  const asked = engine({ change_keys: () => null });
  const rekey = typed();
  rekey.access = ' ';
  expect(await rekey.change()).toBeUndefined();
  expect([rekey.asked, rekey.missing]).toEqual([true, ['access']]);
  expect(asked).toEqual([]);
});

test('keys that are refused stay typed, with the reason, until something else is typed', async () => {
  engine({ change_keys: () => refuse(problem('needs_you')) });
  const rekey = typed();
  expect(await rekey.change()).toBeUndefined();
  expect([rekey.problem?.code, rekey.place, rekey.secret, rekey.busy]).toEqual(['made_up', 'p', ' hush ', false]);
  rekey.changed();
  expect(rekey.problem).toBeUndefined();
});

test('keys that are taken are forgotten here', async () => {
  const questions: unknown[] = [];
  engine({ change_keys: (question) => (questions.push(question), null) });
  const rekey = typed();
  expect(await rekey.change()).toBe('p');
  expect(questions).toEqual([{ id: 'p', keys: { access: 'AKID', secret: 'hush' } }]);
  expect([rekey.place, rekey.access, rekey.secret]).toEqual([undefined, '', '']);
});

test('what was typed for one place is not offered to another', () => {
  const rekey = typed();
  rekey.ask('q');
  expect([rekey.place, rekey.access, rekey.secret]).toEqual(['q', '', '']);
});

test('a problem leads to the keys of the bucket that it is about', async () => {
  const bucket = (id: string, state: 'ready' | 'refused' = 'ready') => place({ id, state, kind: 'bucket' });
  const check = async (
    places: ReturnType<typeof place>[],
    about: 'account' | 'place',
    expected: string | undefined,
  ) => {
    engine({ places: () => places });
    location.hash = '#/';
    const app = new App();
    await app.places.topic.load();
    const subject = about === 'place' ? { kind: about, id: 'b' } : { kind: about, did: 'did:plc:a' };
    await actionsAbout(app, subject).change_keys?.();
    expect([app.rekey.place, location.hash]).toEqual([expected, '#/places']);
  };
  await check([bucket('a'), bucket('b')], 'place', 'b');
  await check([place({ id: 'home' }), bucket('a')], 'account', 'a');
  await check([bucket('a'), bucket('b', 'refused')], 'account', 'b');
  await check([bucket('a', 'refused'), bucket('b', 'refused')], 'account', undefined);
  await check([place({ id: 'home' })], 'account', undefined);
});
