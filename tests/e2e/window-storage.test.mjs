// Online storage beside this computer: set up with what is wrong told apart, lost for a while, and read back from when
// the computer is lost.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe } from 'node:test';
import { BUCKET, FIRST, LATER, startStorage } from './lib/storage.mjs';
import { until } from './lib/processes.mjs';
import { ANSWER, MAIN_BUTTON, begin } from './lib/story.mjs';

let storage;
const story = begin({
  prepare: async (story) => {
    storage = await startStorage(path.join(story.desktop.root, 'storage'), story.log);
  },
});
const { step, says, click, press, pressOn, pick, fill, find, count, text } = story;

/** Fills in what the form of a bucket asks for. */
async function typeBucket({ bucket = BUCKET, keys = FIRST } = {}) {
  await pick('Provider', 'SeaweedFS');
  await fill("The server's address", storage.endpoint);
  await fill('Bucket', bucket);
  await fill('Folder in the bucket (optional)', 'family');
  await fill('Access key', keys.key);
  await fill('Secret key', keys.secret);
}

/** The storage's owner ends some keys, and makes others. */
async function restartKnowing(...keys) {
  await storage.kill();
  storage.knows(...keys);
  await storage.start();
}

/** Every file below a folder that holds a text. */
function holding(folder, text) {
  const files = fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((file) => path.join(file.parentPath, file.name));
  return paths.filter((file) => fs.readFileSync(file).includes(text));
}

describe('online storage', () => {
  step('is told apart from storage that cannot be used', async () => {
    await story.protect();
    await story.go('#/places');
    await press('Add online storage (S3)');
    await says('h1', /^Add online storage$/);
    await typeBucket({ bucket: 'nowhere' });
    await press('Test this place');
    await says('main [role=alert]', /There is no such bucket on 127\.0\.0\.1/);
    await story.picture('storage-1-no-bucket');
    await fill('Bucket', BUCKET);
    await fill('Secret key', 'another');
    await press('Test this place');
    await says('main [role=alert]', /The secret key does not fit the access key\./);
    await story.picture('storage-2-wrong-secret');
  });

  step('becomes a place once it was tested', async () => {
    await fill('Secret key', FIRST.secret);
    await fill('What to call it (optional)', 'Family cloud');
    await press('Test this place');
    await says('main [role=status]', /Backups can go there\.\s+What is sent there is not encrypted on its way\./);
    await story.picture('storage-3-tested');
    await press('Use this place');
    await says('h1', /^Your backups go to 2 places\.$/);
    await says('main', /Family cloud\s+127\.0\.0\.1:\d+\/skykeep\/family\s+Ready for backups/);
    // It is brought what is kept already, without being asked.
    await says('main', /Family cloud[^]*the newest backup of 1 account/);
    assert.doesNotMatch(await text('main'), /Behind/);
    await story.picture('storage-4-a-place');
  });

  step('that does not answer is no alarm', async () => {
    await storage.kill();
    await press('Test this place');
    await says('main [role=alert]', /Family cloud does not answer\./);
    await says('main', /Cannot be reached\. It catches up by itself when it answers again\./);
    await says('section.status', /1 is not connected at the moment\./);
    await story.picture('storage-5-away');
  });

  step('that answers again gets what is new', async () => {
    await storage.start();
    await press('Test this place');
    await says('main', /Backups can go there\./);
    await story.post('While the storage was away.');
    await story.goToAccount();
    await click(MAIN_BUTTON);
    await says('main', /Skykeep has the newest snapshot\s+Family cloud has the newest snapshot/);
    await find(MAIN_BUTTON);
    await says(ANSWER, /^Your posts are kept/);
  });

  step('takes new keys, and keeps the old ones until the new ones work', async () => {
    await restartKnowing(FIRST, LATER);
    await story.go('#/places');
    await pressOn('Family cloud', 'Change keys…');
    await says('[role=dialog]', /New keys for Family cloud/);
    await fill('Access key', LATER.key);
    await fill('Secret key', 'mistyped');
    await press('Try and use these keys');
    await says('[role=dialog] [role=alert]', /The secret key does not fit the access key\./);
    await story.picture('storage-6-keys');
    await fill('Secret key', LATER.secret);
    await press('Try and use these keys');
    await until('no question', async () => (await count('[role=dialog]')) === 0);
    // The old ones are ended.
    await restartKnowing(LATER);
    await pressOn('Family cloud', 'Test this place');
    await says('main', /Backups can go there\./);
    const snapshots = `family/accounts/${story.account.did.replaceAll(':', '_')}/snapshots`;
    const before = await storage.lists(snapshots);
    assert.ok(before.length > 0);
    await story.post('With other keys.');
    await story.goToAccount();
    await click(MAIN_BUTTON);
    await until('the new snapshot', async () => (await storage.lists(snapshots)).length > before.length);
    await find(MAIN_BUTTON);
  });

  step('keeps its keys in the keychain alone', () => {
    for (const { secret } of [FIRST, LATER]) {
      assert.deepEqual(holding(story.desktop.home, secret), []);
      assert.ok(!fs.readFileSync(story.log, 'utf8').includes(secret), 'the log tells the secret');
    }
  });
});

describe('a computer that is lost', () => {
  step('leaves a backup that the next one reads back from the storage', async () => {
    await story.quit();
    await story.host('kill');
    fs.rmSync(story.vault, { recursive: true });
    fs.rmSync(path.join(story.env.XDG_DATA_HOME, 'app.skykeep.desktop'), { recursive: true });
    await story.open();
    await click('a.door[href="#/backup"]');
    await press('Open online storage (S3)');
    await says('h1', /^Which storage is it in\?$/);
    await typeBucket({ keys: LATER });
    await press('Look into it');
    await says('h1', /^It holds the backups of 1 account\.$/);
    await story.picture('storage-7-inside');
    await press('Use it on this computer');
    await says('h1', /^1 account is kept by this computer from now on\.$/);
    await story.picture('storage-8-taken-over');
    await story.goToAccount();
    await says('header.who', new RegExp(story.account.handle));
    await says(ANSWER, /^Your posts are kept/);
    await says('main', /skykeep has the newest snapshot/);
    await story.picture('storage-9-kept-again');
  });
});
