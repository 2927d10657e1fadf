// The first minute of the real window on a real desktop, its rooms, and what it does out of sight.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe } from 'node:test';
import { atRest, closeWindow, isOpen } from './lib/desktop.mjs';
import { run, start, until } from './lib/processes.mjs';
import { ANSWER, APP, MAIN_BUTTON, NEXT, begin } from './lib/story.mjs';

const story = begin();
const { step, says, click, type, text, count, find } = story;

/** Deletes most of what the account has posted, as someone who got hold of its password would. */
async function loseAlmostAll() {
  const { did } = story.account;
  const pds = await story.signedIn();
  const { collections } = await pds.query('com.atproto.repo.describeRepo', { repo: did });
  const lists = collections.map((collection) =>
    pds.query('com.atproto.repo.listRecords', { repo: did, collection, limit: 100 }),
  );
  const all = (await Promise.all(lists)).flatMap(({ records }) => records);
  const writes = all.slice(0, -4).map(({ uri }) => {
    const [collection, rkey] = uri.split('/').slice(-2);
    return { $type: 'com.atproto.repo.applyWrites#delete', collection, rkey };
  });
  assert.ok(writes.length > 50);
  await pds.procedure('com.atproto.repo.applyWrites', { repo: did, writes });
}

describe('the first minute', () => {
  step('three doors', async () => {
    await says('h1', /^What would you like to do\?$/);
    assert.equal(await count('a.door'), 3);
    await story.picture('1-first-start');
    await click('a.door[href="#/protect"]');
    await says('h1', /^What is your handle\?$/);
  });

  step('a name that nobody has is said to be nobody’s', async () => {
    await type('form input', 'nobody-at-all.test');
    await click('form button[type=submit]');
    await find('[role=alert] h2');
    await story.picture('2-unknown');
    assert.match(await text('[role=alert]'), /nobody-at-all\.test/);
  });

  step('who it is', async () => {
    await story.window.ask('POST', `/element/${await find('form input')}/clear`, {});
    await type('form input', `@${story.account.handle}`);
    await click('form button[type=submit]');
    await says('h1', /^Is this the account\?$/);
    assert.match(await text('.account'), new RegExp(`${story.account.handle}[^]*Lives at localhost`));
    await story.picture('3-who-it-is');
  });

  step('where the copies go', async () => {
    await click(NEXT);
    await says('h1', /^Where shall the copies go\?$/);
    await story.tickOnly(1);
    await says('main', /Skykeep[^]*On this computer/);
    await story.picture('4-where');
  });

  step('the account becomes kept', async () => {
    await click(NEXT);
    await find(ANSWER);
    await story.picture('5-first-backup');
    await says(ANSWER, /^Your posts are kept\.$/);
    // The button comes back when the run has ended.
    await find(MAIN_BUTTON);
    await says('section.status', /Last checked (just now|\d+ minutes? ago), on this computer only\./);
    assert.ok((await count('li.snapshot')) >= 1);
    assert.match(
      await text('main'),
      new RegExp(`${story.account.records}\\s+records|records\\s+${story.account.records}`),
    );
    await story.picture('6-kept');
  });

  step('its files are in the vault', async () => {
    const account = path.join(story.vault, 'accounts', story.account.did.replaceAll(':', '_'));
    const names = (folder) => fs.readdirSync(path.join(account, folder), { recursive: true });
    const manifests = names('snapshots').sort();
    assert.ok(manifests.length >= 1);
    const newest = fs.readFileSync(path.join(account, 'snapshots', manifests.at(-1)), 'utf8');
    assert.ok(newest.includes(story.account.did), 'the manifest names the account');
    assert.ok(names('repo').some((name) => name.endsWith('.car')));
    const sizes = story.account.blobs.map(({ cid }) => {
      const file = path.join(account, 'blobs', cid.slice(-2), cid);
      return fs.existsSync(file) && fs.statSync(file).size;
    });
    assert.deepEqual(
      sizes,
      story.account.blobs.map(({ size }) => size),
    );
    assert.deepEqual(
      fs
        .readdirSync(story.vault)
        .filter((name) => ['README.txt', 'recover.py'].includes(name))
        .sort(),
      ['README.txt', 'recover.py'],
    );
  });

  step('backing up again finds nothing new, and says so', async () => {
    await click(MAIN_BUTTON);
    await says('li.checked', /Nothing new, checked again/);
    await says('section.status', /Last checked just now/);
    await find(MAIN_BUTTON);
    await click('li.snapshot button');
    await says('li.snapshot', /Valid: the account's key/);
    await story.picture('7-snapshot');
  });
});

describe('the rooms', () => {
  const rooms = [
    // Of one account there is no list.
    ['accounts', /What is kept/],
    ['places', /On this computer/],
    ['recovery', /portable copy/i],
    ['settings', /Language/],
    ['diagnostics', /report/i],
    ['', /Could you get your account back today\?/],
  ];
  for (const [name, content] of rooms) {
    step(`${name || 'home'} shows what is real`, async () => {
      await story.go(`#/${name}`);
      await says('main', content);
      assert.equal(await count('main [role=alert]'), 0);
      await story.picture(`room-${name || 'home'}`);
    });
  }
});

describe('a host that dies', () => {
  step('is said to be the host, and nothing is lost', async () => {
    await story.goToAccount();
    await story.host('kill');
    await click(MAIN_BUTTON);
    await says('main', /localhost:\d+ does not answer\.[^]*Everything kept before is still there\./, 120_000);
    await says(ANSWER, /^Your posts are kept/);
    await story.picture('host-gone');
  });

  step('heals when it is back', async () => {
    await story.host('start');
    await click(MAIN_BUTTON);
    await until('the problem to go', async () => !/does not answer/.test(await text('main')), 120_000);
    await says('section.status', /Last checked just now/);
  });
});

describe('out of the way', () => {
  let pid;
  const firstInTray = async () => (await story.tray())[0];
  // Ended or not: nobody else takes leave of them.
  const webView = () =>
    run('ps', ['--ppid', String(pid), '-o', 'comm=']).then(
      (all) => all.match(/^WebKit.*/gm) ?? [],
      () => [],
    );
  const webLibraries = () => {
    const maps = fs.readFileSync(`/proc/${pid}/maps`, 'utf8');
    return [...new Set(maps.match(/\blib(webkit2gtk|javascriptcoregtk|soup)-/g))];
  };

  step('closing the window leaves Skykeep in the tray, without anything of its web view', async () => {
    pid = await story.pid();
    assert.equal((await webView()).length, 2);
    assert.equal(webLibraries().length, 3);
    await closeWindow(story.env);
    // The same process, for whoever watches it.
    assert.equal(await atRest(story.env), pid);
    assert.deepEqual(await webView(), []);
    // Other processors load them at the start.
    if (process.arch === 'x64') assert.deepEqual(webLibraries(), []);
    await until('the tray to know how things stand', async () => (await firstInTray()) === 'Posts are kept');
    assert.deepEqual(await story.tray(), [
      'Posts are kept',
      'Open Skykeep',
      'Back up now',
      'Pause for',
      '1 hour',
      'Until tomorrow',
      'Quit',
    ]);
  });

  step('a second start shows the first one’s window, and ends', async () => {
    await run(APP, [], { env: story.env });
    await until('the window', () => isOpen(story.env));
    await closeWindow(story.env);
    await run(APP, ['--hidden'], { env: story.env });
    assert.equal(await isOpen(story.env), false);
    assert.equal(await atRest(story.env), pid);
  });

  step('whoever asks for the window while it gives back its memory gets it', async () => {
    // Who comes when the name is free for a moment is Skykeep from then on; everybody else was heard, and ends.
    const askForIt = async () => {
      const asking = start(APP, [], { env: story.env });
      await until('it to be heard', async () => asking.exitCode !== null || (await story.pid()) === asking.pid);
      await until('the window', () => isOpen(story.env));
    };
    for (const pause of [1900, 2100, 2300, 2600]) {
      await askForIt();
      await closeWindow(story.env);
      await new Promise((resolve) => setTimeout(resolve, pause));
      await askForIt();
      await closeWindow(story.env);
    }
    await atRest(story.env);
  });

  step('a pause from the tray is said there, and ends there', async () => {
    await story.chooseInTray('Until tomorrow');
    await until('the tray to say that it is paused', async () => (await firstInTray()) === 'Paused');
    await story.chooseInTray('Go on');
    await until('the tray to say that it goes on', async () => (await firstInTray()) === 'Posts are kept');
  });

  step('when a person is needed, the desktop says so, and leads to the page that helps', async () => {
    await loseAlmostAll();
    await story.chooseInTray('Back up now');
    const said = await until('a notification', () => story.desktop.notifications().at(-1));
    assert.match(said, /string "Skykeep"/);
    await until(
      'dunst to show it',
      async () => Number(await run('dunstctl', ['count', 'displayed'], { env: story.env })) > 0,
    );
    await story.screen('8-notification');
    await run('dunstctl', ['action'], { env: story.env });
    await until('the window', () => isOpen(story.env));
    await until('the tray to say so', async () => (await firstInTray()) === 'Skykeep needs you');
    // The page behind the reopened window can only be looked at: an empty one has a handful of colours.
    await until('the page to be painted', async () => {
      const file = await story.screen('9-needs-you');
      return Number(await run('identify', ['-format', '%k', file])) > 1000;
    });
  });

  step('Quit ends it', () => story.quit());
});
