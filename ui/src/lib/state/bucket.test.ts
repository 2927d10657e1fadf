import { afterEach, expect, test } from 'vitest';
import { clearMocks, engine, refuse } from '../../test/engine';
import { account, place, problem, providers, tested } from '../../test/made-up';
import { ANOTHER, Bucket } from './bucket.svelte';
import { Opened } from './opened.svelte';
import { Places } from './places.svelte';

afterEach(clearMocks);

async function typed(id: string, more: Partial<Bucket> = {}): Promise<Bucket> {
  const bucket = new Bucket();
  await bucket.load();
  bucket.choose(id);
  return Object.assign(bucket, { bucket: ' family ', access: ' AKID\n', secret: ' hush ', ...more });
}

test('the address is put together from what each provider needs', async () => {
  engine({ providers: () => providers });
  const check = async (id: string, more: Partial<Bucket>, endpoint: string, region: string) => {
    const bucket = await typed(id, more);
    expect(bucket.missing).toEqual([]);
    expect(bucket.address).toMatchObject({ endpoint, region, bucket: 'family', in_host: id === 'aws' });
  };
  await check('aws', { region: 'eu-central-1' }, 'https://s3.eu-central-1.amazonaws.com', 'eu-central-1');
  await check('r2', { account: 'abc' }, 'https://abc.r2.cloudflarestorage.com', 'auto');
  await check('garage', { endpoint: ' http://nas:3900 ' }, 'http://nas:3900', 'garage');
  await check(ANOTHER.id, { endpoint: 'https://s3.example.org' }, 'https://s3.example.org', 'us-east-1');
});

test('the first provider is chosen at first, and what is missing is named in the order of the form', async () => {
  engine({ providers: () => providers });
  const bucket = new Bucket();
  await bucket.load();
  expect(bucket.provider.id).toBe('aws');
  expect(bucket.complete()).toBe(false);
  expect(bucket.missing).toEqual(['region', 'bucket', 'access', 'secret']);
  bucket.choose('r2');
  expect(bucket.hasRegion).toBe(false);
  expect(bucket.missing).toEqual(['account', 'bucket', 'access', 'secret']);
});

test('a test is about what was typed then, and is forgotten with the next change', async () => {
  const asked: unknown[] = [];
  engine({ providers: () => providers, try_bucket: (question) => (asked.push(question.keys), tested()) });
  const bucket = await typed('garage', { endpoint: 'http://nas:3900' });
  await bucket.tryIt();
  expect(asked).toEqual([{ access: 'AKID', secret: 'hush' }]);
  expect(bucket.good).toBe(true);
  bucket.changed();
  expect(bucket.good).toBe(false);
  bucket.test = { problem: problem('needs_you'), abilities: null };
  expect(bucket.good).toBe(false);
});

test('the keys are forgotten once it is a place, and stay typed when it is refused', async () => {
  let refuses = true;
  engine({ providers: () => providers, add_bucket: () => (refuses ? refuse(problem('needs_you')) : place()) });
  const bucket = await typed('garage', { endpoint: 'http://nas:3900' });
  expect(await bucket.add()).toBe(false);
  expect([bucket.problem?.code, bucket.secret]).toEqual(['made_up', ' hush ']);
  refuses = false;
  expect(await bucket.add()).toBe(true);
  expect([bucket.problem, bucket.access, bucket.secret]).toEqual([undefined, '', '']);
});

test('a backup in a bucket is looked into and taken over with the same keys', async () => {
  const found = { path: 'nas/family', kind: 'vault', known: false, accounts: [], problems: [] };
  const asked = engine({
    providers: () => providers,
    look_into_bucket: () => found,
    take_over_bucket: ({ keys }) => (expect(keys).toEqual({ access: 'AKID', secret: 'hush' }), [account()]),
  });
  const opened = new Opened();
  opened.askForBucket();
  opened.bucket = await typed('garage', { endpoint: 'http://nas:3900' });
  await opened.lookIntoBucket();
  expect(opened.found?.path).toBe('nas/family');
  await opened.takeOver();
  expect(opened.taken).toHaveLength(1);
  expect(opened.bucket.secret).toBe('');
  expect(asked).not.toContain('take_over');
});

test('a bucket is looked at as it was, and what it held is brought back to a folder', async () => {
  const found = { path: 'nas/family', as_of: 1_000, kind: 'vault', known: true, accounts: [], problems: [] };
  const questions: unknown[] = [];
  let folder: string | null = null;
  const asked = engine({
    providers: () => providers,
    look_into_bucket: ({ asOf }) => (questions.push(asOf), { ...found, as_of: asOf }),
    'plugin:dialog|open': () => folder,
    take_over_past: ({ asOf, folder }) => (questions.push(asOf, folder), [account()]),
  });
  const opened = new Opened();
  opened.askForBucket();
  opened.bucket = await typed('garage', { endpoint: 'http://nas:3900' });
  await opened.lookIntoBucket();
  await opened.bringBack('Skykeep');
  expect(asked).not.toContain('plugin:dialog|open');
  await opened.lookIntoBucket(1_000);
  await opened.bringBack('Skykeep');
  expect([opened.taken, opened.bucket.secret]).toEqual([undefined, ' hush ']);
  folder = '/media/a';
  await opened.bringBack('Skykeep');
  expect(questions).toEqual([null, 1_000, 1_000, '/media/a/Skykeep']);
  expect([opened.taken?.length, opened.bucket.secret]).toEqual([1, '']);
});

test('a place is tested by itself, and what was found is kept beside it', async () => {
  engine({ places: () => [place({ kind: 'bucket' })], test_place: () => tested() });
  const places = new Places();
  const testing = places.test('p');
  expect(places.testing).toEqual(['p']);
  await testing;
  expect([places.testing, places.tests.p?.problem]).toEqual([[], null]);
});
