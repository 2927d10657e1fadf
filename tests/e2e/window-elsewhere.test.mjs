// A backup that another tool made, and a portable copy for other tools: in and out, while the host is gone.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe } from 'node:test';
import { choose } from './lib/dialog.mjs';
import { ANSWER, MAIN_BUTTON, begin } from './lib/story.mjs';

let saved;
const story = begin({
  prepare: async (story) => {
    saved = path.join(story.desktop.home, 'goat');
    await saveLikeAnotherTool(story, saved);
    await story.host('kill');
  },
});
const { step, says, click, press, find } = story;

/** As goat leaves it: a CAR named for the account and the time, and a folder of blobs, each named by its CID. */
async function saveLikeAnotherTool({ network, account }, folder) {
  const fetched = async (method, params) => {
    const response = await fetch(`${network.facts.A}/xrpc/${method}?${new URLSearchParams(params)}`);
    assert.ok(response.ok, method);
    return Buffer.from(await response.arrayBuffer());
  };
  const blobs = path.join(folder, `${account.handle}_blobs`);
  fs.mkdirSync(blobs, { recursive: true });
  const car = await fetched('com.atproto.sync.getRepo', { did: account.did });
  fs.writeFileSync(path.join(folder, `${account.handle}.20261122090000.car`), car);
  for (const { cid } of account.blobs) {
    fs.writeFileSync(path.join(blobs, cid), await fetched('com.atproto.sync.getBlob', { did: account.did, cid }));
  }
  fs.writeFileSync(path.join(folder, 'half.car'), car.subarray(0, car.length / 2));
}

describe('a backup from elsewhere', () => {
  step('that is damaged is said to be so, and changes nothing', async () => {
    await click('a.door[href="#/backup"]');
    await says('h1', /^Where is your backup\?$/);
    await press('Choose a file');
    await choose(story.env, path.join(saved, 'half.car'));
    await says('main', /half\.car is damaged or incomplete\.[^]*Nothing was changed\./);
    await story.picture('elsewhere-1-damaged');
    fs.rmSync(path.join(saved, 'half.car'));
  });

  step('is looked into before anything is done', async () => {
    await story.go('#/');
    await click('a.door[href="#/backup"]');
    await says('h1', /^Where is your backup\?$/);
    await press('Choose a folder');
    await choose(story.env, saved);
    await says('h1', /^It holds a backup of 1 account\.$/);
    await story.picture('elsewhere-2-inside');
    const { records, blobs } = story.account;
    await says('main', new RegExp(`${records} records · ${blobs.length} pictures and videos`));
    assert.ok(!fs.existsSync(story.vault), 'nothing is kept yet');
  });

  step('is checked and imported, though its host is gone', async () => {
    await press('Import it');
    await says('main', /1 backup was checked and imported\./);
    await story.picture('elsewhere-3-imported');
    const account = path.join(story.vault, 'accounts', story.account.did.replaceAll(':', '_'));
    assert.equal(fs.readdirSync(path.join(account, 'snapshots')).length, 1);
    for (const { cid, size } of story.account.blobs) {
      assert.equal(fs.statSync(path.join(account, 'blobs', cid.slice(-2), cid)).size, size);
    }
  });

  step('makes the account a kept one', async () => {
    await story.goToAccount();
    await says(ANSWER, /^Your posts are kept/);
    await says('main', /Imported from another backup/);
    await story.picture('elsewhere-4-account');
  });
});

describe('when its host is back', () => {
  step('the account goes on from there', async () => {
    await story.host('start');
    await click(MAIN_BUTTON);
    await says('header.who', new RegExp(`${story.account.handle}[^]*Lives at localhost`));
    await says('section.status', /Last checked just now/);
    await find(MAIN_BUTTON);
    await story.picture('elsewhere-5-goes-on');
  });
});

describe('a portable copy', () => {
  let copy;

  step('is written where the person says, and checked', async () => {
    const folder = path.join(story.desktop.home, 'For later');
    fs.mkdirSync(folder);
    await press('Make a portable copy');
    await choose(story.env, folder);
    await says('main', /A portable copy was written\./);
    await story.picture('elsewhere-6-portable');
    const [name, ...more] = fs.readdirSync(folder);
    assert.deepEqual(more, []);
    assert.match(name, new RegExp(`^Skykeep ${story.account.handle} \\d{4}-\\d\\d-\\d\\d \\d{4}$`));
    copy = path.join(folder, name);
    assert.deepEqual(fs.readdirSync(path.join(copy, 'blobs')).sort(), story.account.blobs.map(({ cid }) => cid).sort());
  });

  step('can be read back like any other backup', async () => {
    await story.go('#/backup');
    await press('Choose a folder');
    await choose(story.env, copy);
    await says('h1', /^It holds a backup of 1 account\.$/);
    await says('main', /Kept on this computer already/);
    await story.picture('elsewhere-7-copy-inside');
  });
});
