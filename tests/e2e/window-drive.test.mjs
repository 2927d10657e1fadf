// A drive beside this computer: plugged in, pulled in the middle of a backup, and known again under another path.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { noDrives, openBay } from './lib/drive.mjs';
import { until } from './lib/processes.mjs';
import { ANSWER, MAIN_BUTTON, begin } from './lib/story.mjs';

const lacking = await noDrives();
if (lacking) test('a drive is pulled and comes back', { skip: lacking });
else tell();

function tell() {
  let bay;
  let drive;
  const story = begin({
    prepare: async (story) => {
      bay = story.bay = await openBay();
      drive = await bay.drive(path.join(story.desktop.root, 'drive'), 64);
      await drive.plug('Family drive');
    },
  });
  const { step, says, click, text, count, find } = story;

  /** Every file of the account in a vault, by its path. Other files are the vault's own. */
  const kept = (vault) => {
    const account = path.join(vault, 'accounts', story.account.did.replaceAll(':', '_'));
    const files = fs.readdirSync(account, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const names = files.map((file) => path.relative(account, path.join(file.parentPath, file.name)));
    // What was cut off in the middle has no name yet, and is swept later.
    return names.filter((name) => !name.endsWith('.part')).sort();
  };
  const onDrive = () => kept(bay.path(path.join(drive.point, 'Skykeep')));
  const bothAreTheSame = () =>
    until('both places to hold the same', () => String(onDrive()) === String(kept(story.vault)));

  describe('a drive', () => {
    step('that is connected is offered, and is ticked already', async () => {
      await says('h1', /^What would you like to do\?$/);
      await story.protect({
        places: 2,
        look: async () => {
          await says('main', /Family drive\s+On a drive that can be unplugged/);
          await story.picture('drive-1-where');
        },
      });
      // The disk under this drive is this computer's own, and Skykeep sees that.
      await says('section.status', /on this computer only\./);
      await says('main', /Skykeep has the newest snapshot\s+Family drive has the newest snapshot/);
      await story.picture('drive-2-kept');
      await bothAreTheSame();
      assert.ok(onDrive().some((file) => file.startsWith('snapshots/')));
    });

    step('is said to be safe to unplug', async () => {
      await story.go('#/places');
      await says('h1', /^Your backups go to 2 places\.$/);
      await says('main', /Safe to unplug: nothing is being written to it/);
      await story.picture('drive-3-safe-to-unplug');
    });

    step('that is gone is no alarm', async () => {
      await drive.cut();
      await drive.clear();
      await says('main', /Not connected\. It catches up by itself when it is back\./);
      await says('section.status', /1 is not connected at the moment\./);
      assert.equal(await count('main [role=alert]'), 0);
      await story.picture('drive-4-pulled');
      await story.goToAccount();
      await says(ANSWER, /^Your posts are kept\.$/);
      // Its copy still counts, and is not on this computer now.
      await says('section.status', /in 2 places\./);
      await story.picture('drive-5-pulled-account');
    });

    step('whose mount point stayed is not written to', async () => {
      await story.post('While the drive was away.');
      const before = kept(story.vault).length;
      await click(MAIN_BUTTON);
      await until('the new snapshot', () => kept(story.vault).length > before);
      await find(MAIN_BUTTON);
      await says(ANSWER, /^Your posts are kept\.$/);
      assert.deepEqual(fs.readdirSync(bay.path(drive.point)), []);
      await story.picture('drive-6-kept-without-it');
    });

    step('that comes back under another path is known, and gets what it lacks', async () => {
      await story.go('#/places');
      await drive.plug('Family drive 1');
      await says('main', /Family drive\s+\/media\/Family drive 1\/Skykeep/);
      await bothAreTheSame();
      await says('main', /Safe to unplug/);
      await until('nothing to be behind', async () => !/still to be copied/.test(await text('main')));
      await story.picture('drive-7-back');
    });

    step('that is pulled while it is written to loses nothing', async () => {
      await story.goToAccount();
      await story.post('With a video.', 24 * 1024 * 1024);
      await click(MAIN_BUTTON);
      await writing(bay.path(drive.point));
      await drive.cut();
      await drive.clear();
      await find(MAIN_BUTTON);
      await says(ANSWER, /^Your posts are kept\.$/);
      await says('main', /Family drive is not connected\./);
      await story.picture('drive-8-pulled-while-written');
    });

    step('that comes back then is made whole by itself, and proves it', async () => {
      await story.go('#/places');
      await drive.plug('Family drive');
      await bothAreTheSame();
      await until('nothing to be behind', async () => !/still to be copied/.test(await text('main')));
      await until('every file to be read and found well', async () => {
        const card = await text('main section.card:last-of-type');
        // What the pulled drive may have hurt is read by itself, and the button waits for that.
        if (/Check every file/.test(card)) await click('main section.card:last-of-type .actions button');
        return /All \d+ files read and found as they were written\./.test(card);
      });
      await story.picture('drive-9-whole');
    });
  });
}

/** Resolves in the middle of a file that is written. */
async function writing(drive) {
  const deadline = Date.now() + 60_000;
  const part = () => fs.readdirSync(drive, { recursive: true }).some((name) => name.endsWith('.part'));
  while (!part()) {
    assert.ok(Date.now() < deadline, 'nothing is written');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
