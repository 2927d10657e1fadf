// A drive that a family shares: another computer's backups on it, who uses how much, places that are left, and rot.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { choose } from './lib/dialog.mjs';
import { noDrives, openBay } from './lib/drive.mjs';
import { run, until } from './lib/processes.mjs';
import { ANSWER, APP, MAIN_BUTTON, begin } from './lib/story.mjs';

const MEGABYTE = 1024 * 1024;
/** Moves go on with the hour's work, which looks around once a minute. */
const MINUTES = 180_000;
const DRIVE = 'Family drive';

const lacking = await noDrives();
if (lacking) test('a family shares a drive', { skip: lacking });
else tell();

function tell() {
  let bob;
  let shared;
  let second;
  const story = begin({
    who: 'family',
    prepare: async (story) => {
      const bay = (story.bay = await openBay());
      const drive = await bay.drive(path.join(story.desktop.root, 'drive'), 64);
      const vault = path.join(await drive.plug(DRIVE), 'Skykeep');
      shared = bay.path(vault);
      second = path.join(story.desktop.home, 'Second');
      fs.mkdirSync(second);
      bob = await anotherComputer(story, story.network.accounts[1]);
      await bob.says('account', 'add', bob.account.handle);
      await bob.says('place', 'add', 'folder', vault, '--name', DRIVE);
      await bob.says('backup', bob.account.handle);
    },
  });
  const { step, says, click, press, pressOn, saysOn, fill, find } = story;
  const alice = () => story.account;

  const toFamily = async () => {
    await story.go('#/places');
    await pressOn(DRIVE, 'Everyone on this place');
    await says('h1', /on Family drive/);
  };
  const backUp = async (text) => {
    await story.post(text);
    await story.goToAccount();
    await click(MAIN_BUTTON);
    // Nothing else is said while it runs.
    await until('its end', async () => (await says(ANSWER, /^Your posts are kept/)) && (await find(MAIN_BUTTON)));
  };

  describe('a drive that two share', () => {
    step('is offered though somebody keeps backups on it already', async () => {
      await story.protect({ places: 2 });
      await says('main', /Skykeep has the newest snapshot\s+Family drive has the newest snapshot/);
      assert.equal(kept(shared, alice()).length, kept(story.vault, alice()).length);
    });

    step('shows both, when they were backed up, and by whom', async () => {
      await toFamily();
      await says('h1', /^All 2 accounts on Family drive are backed up\.$/);
      await saysOn('alice.test', /kept by this computer too[^]*Backed up within the last week/);
      await saysOn('alice.test', /Last backup\s+today at/);
      await saysOn('alice.test', /Backed up by this computer Take along/);
      await saysOn('bob.test', /Backed up by 1 other computer\s*(Identity read[^]*)?Take along$/);
      await saysOn('bob.test', /Uses\s+[\d.]+ [kM]B; a fair share is \d+ MB/);
      await story.picture('family-1-both');
    });

    step('says who uses more than a fair share, and refuses nothing', async () => {
      bob.videos = [
        await story.post('The gulls are back over the harbour.', 18 * MEGABYTE, bob.account),
        await story.post('Leaving for the island.', 18 * MEGABYTE, bob.account),
      ];
      await bob.says('backup', bob.account.handle);
      await press('Look again');
      await saysOn('bob.test', /Identity read\s+today at/);
      await saysOn('bob.test', /Uses\s+\d+ MB, more than a fair share of \d+ MB\. Backups go on all the same\./);
      await story.picture('family-2-over');
      await fill('Gigabytes for each account', '1');
      await pressOn('Room', 'Save');
      await saysOn('Room', /Fair share\s+1 GB each, as you chose/);
      await saysOn('bob.test', /Uses\s+\d+ MB; a fair share is 1 GB/);
      await story.picture('family-3-share-chosen');
    });
  });

  describe('an account', () => {
    step('leaves the drive, and nothing is deleted there', async () => {
      const before = kept(shared, alice());
      await pressOn('alice.test', 'Leave this place');
      await says('[role=dialog]', /No longer bring alice\.test to Family drive\?[^]*Skykeep deletes nothing/);
      assert.ok((await story.sizeOf('[role=dialog] button')).height < 60, 'its buttons are as high as other buttons');
      await story.picture('family-4-leave');
      await press('Leave this place', '[role=dialog] button');
      await saysOn('alice.test', /This computer no longer brings it here\. What is here stays\./);
      await backUp('Only at home.');
      assert.deepEqual(kept(shared, alice()), before);
      assert.ok(kept(story.vault, alice()).length > before.length);
    });

    step('comes back, and the drive gets what it lacks', async () => {
      await toFamily();
      await story.picture('family-5-left');
      await pressOn('alice.test', 'Bring it here again');
      await same(shared, story.vault, alice());
      await toFamily();
      assert.doesNotMatch(await saysOn('alice.test', /this computer/), /no longer/);
    });
  });

  describe('another place', () => {
    step('gets the whole history', async () => {
      await story.go('#/places');
      await press('Add a folder');
      await choose(story.env, second);
      await saysOn('Second', /Holds\s+the newest backup of 1 account/);
      await same(second, story.vault, alice());
      await until('nothing to be behind', async () => !/Behind/.test(await saysOn('Second', /Ready for backups/)));
    });

    step('is retired, and resumed', async () => {
      await pressOn('Second', 'No new backups here');
      await says('[role=dialog]', /No new backups to Second\?/);
      await press('No new backups here', '[role=dialog] button');
      await saysOn('Second', /Backups go there no more\. What it holds is still read\./);
      await says('h1', /^Your backups go to 2 places\.$/);
      await story.picture('family-6-retired');
      const before = kept(second, alice());
      await backUp('While the second place rested.');
      await same(shared, story.vault, alice());
      assert.deepEqual(kept(second, alice()), before);
      await story.go('#/places');
      await pressOn('Second', 'Back up here again');
      await same(second, story.vault, alice());
      await says('h1', /^Your backups go to 3 places\.$/);
    });

    step('takes over from one that moves, once every file was read there', async () => {
      const before = kept(story.vault, alice());
      await pressOn('Skykeep', 'Move to another place');
      await says('[role=dialog]', /Move Skykeep[^]*Its files stay/);
      await press('Second', '[role=dialog] label .title');
      await story.picture('family-7-move');
      await press('Move', '[role=dialog] button');
      await says('h1', /^Your backups go to 2 places\.$/, MINUTES);
      await until('no card of it', async () => !(await story.text('main')).includes(story.vault));
      assert.deepEqual(kept(story.vault, alice()), before);
      await until('the note of it', () =>
        story.desktop.notifications().some((said) => said.includes('Everything from Skykeep is in Second now.')),
      );
      await story.picture('family-8-moved');
    });
  });

  describe('a flipped bit', () => {
    step('is found by a check, and mended from another place', async () => {
      const file = onPlace(shared, alice(), alice().blobs[0].cid);
      const before = flip(file);
      await pressOn(DRIVE, 'Check every file');
      await saysOn(DRIVE, /1 file was damaged, and is whole again from another copy\./);
      assert.ok(fs.readFileSync(file).equals(before));
      await story.picture('family-9-mended');
    });

    step('in what only another computer keeps is named, and mended there', async () => {
      const file = onPlace(shared, bob.account, bob.videos[0]);
      const before = flip(file);
      await pressOn(DRIVE, 'Check every file');
      await saysOn(
        DRIVE,
        /in no copy that is connected: The gulls are back over the harbour\. A picture or video in a post of/,
      );
      await says('h1', /^1 place needs you\.$/);
      await story.picture('family-10-damaged');
      await bob.says('check', '--read-all');
      assert.ok(fs.readFileSync(file).equals(before));
      await pressOn(DRIVE, 'Check every file');
      await saysOn(DRIVE, /All \d+ files read and found as they were written\./);
    });
  });
}

/** The command line on another computer, as far as an engine can tell: a data folder and a home of its own. */
async function anotherComputer(story, account) {
  const home = path.join(story.desktop.root, 'bob');
  fs.mkdirSync(home);
  const passphrase = path.join(home, 'passphrase');
  fs.writeFileSync(passphrase, 'for this test only', { mode: 0o600 });
  const own = { HOME: home, PATH: process.env.PATH, LANG: 'C.UTF-8', SKYKEEP_DATA_DIR: path.join(home, 'data') };
  const keys = { SKYKEEP_KEYSTORE: 'file', SKYKEEP_PASSPHRASE_FILE: passphrase };
  const env = { ...own, ...keys, ...story.network.env };
  const [enter, ...inside] = story.bay.inside(path.join(path.dirname(APP), 'skykeep-cli'));
  return { account, says: (...words) => run(enter, [...inside, ...words], { env }) };
}

function folderOf(vault, { did }) {
  return path.join(vault, 'accounts', did.replaceAll(':', '_'));
}

/** Every file of an account in a vault, by its path, but what was cut off before it had a name. */
function kept(vault, account) {
  const folder = folderOf(vault, account);
  const files = fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const names = files.map((file) => path.relative(folder, path.join(file.parentPath, file.name)));
  return names.filter((name) => !name.endsWith('.part')).sort();
}

function same(vault, other, account) {
  return until('both places to hold the same', () => String(kept(vault, account)) === String(kept(other, account)));
}

function onPlace(vault, account, cid) {
  return path.join(folderOf(vault, account), 'blobs', cid.slice(-2), cid);
}

/** Flips one bit in the middle of a file; what was in it before. */
function flip(file) {
  const before = fs.readFileSync(file);
  const middle = before.length >> 1;
  const open = fs.openSync(file, 'r+');
  fs.writeSync(open, Buffer.of(before[middle] ^ 1), 0, 1, middle);
  fs.closeSync(open);
  return before;
}
