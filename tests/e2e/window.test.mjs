// The real window on a real desktop, keeping a real account of the reference network: as a person would do it.
//
// SKYKEEP_APP names the program; without it, the debug build is taken. Pictures go to target/e2e.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { busName, closeWindow, isOpen, startDesktop, startNetwork, trayMenu } from './lib/desktop.mjs';
import { endAll, run, until } from './lib/processes.mjs';
import { openWindow } from './lib/webdriver.mjs';
import { Pds } from '../network/seed/xrpc.mjs';

const ROOT = path.resolve(import.meta.dirname, '../..');
const APP = process.env.SKYKEEP_APP ?? path.join(ROOT, 'target/debug/skykeep');
const PICTURES = path.join(ROOT, 'target/e2e');
const ANSWER = 'section.status h1';
const MAIN_BUTTON = 'section.status button.main';
const NEXT = '.foot .actions button.main';

let desktop;
let network;
let window;
let env;
let vault;
let log;

before(async () => {
  fs.mkdirSync(PICTURES, { recursive: true });
  desktop = await startDesktop();
  log = path.join(desktop.root, 'log');
  network = await startNetwork(log, ['account', '--records', '60', '--large-blob', '300000']);
  env = { ...desktop.env, ...network.env, SKYKEEP_KEYSTORE: 'os' };
  vault = path.join(desktop.home, 'Skykeep');
  window = await openWindow(APP, { env, log });
});

after(async () => {
  await endAll();
  if (desktop) fs.rmSync(desktop.root, { recursive: true, force: true });
});

/** One step of the story; when it fails, what Skykeep wrote is shown, and a picture is taken. */
function step(name, work) {
  test(name, async () => {
    try {
      await work();
    } catch (error) {
      await desktop.picture(path.join(PICTURES, 'failed.png')).catch(() => undefined);
      console.error(fs.readFileSync(log, 'utf8').split('\n').slice(-40).join('\n'));
      throw error;
    }
  });
}

/** Deletes most of what the account has posted, as someone who got hold of its password would. */
async function loseAlmostAll() {
  const { did, handle, password } = network.account;
  const open = new Pds(network.facts.A);
  const { accessJwt } = await open.procedure('com.atproto.server.createSession', { identifier: handle, password });
  const pds = open.withAccess(accessJwt);
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

/** Goes to a page by its address, as a link does. */
const go = (hash) => window.ask('POST', '/execute/sync', { script: 'location.hash = arguments[0]', args: [hash] });

async function picture(name) {
  fs.writeFileSync(path.join(PICTURES, `${name}.png`), await window.picture());
}

describe('the first minute', () => {
  step('three doors', async () => {
    await window.says('h1', /^What would you like to do\?$/);
    assert.equal(await window.count('a.door'), 3);
    await picture('1-first-start');
    await window.click('a.door[href="#/protect"]');
    await window.says('h1', /^What is your handle\?$/);
  });

  step('a name that nobody has is said to be nobody’s', async () => {
    await window.type('form input', 'nobody-at-all.test');
    await window.click('form button[type=submit]');
    await window.find('[role=alert] h2');
    await picture('2-unknown');
    assert.match(await window.text('[role=alert]'), /nobody-at-all\.test/);
  });

  step('who it is', async () => {
    await window.ask('POST', `/element/${await window.find('form input')}/clear`, {});
    await window.type('form input', `@${network.account.handle}`);
    await window.click('form button[type=submit]');
    await window.says('h1', /^Is this the account\?$/);
    assert.match(await window.text('.account'), new RegExp(`${network.account.handle}[^]*Lives at localhost`));
    await picture('3-who-it-is');
  });

  step('where the copies go', async () => {
    await window.click(NEXT);
    await window.says('h1', /^Where shall the copies go\?$/);
    await window.says('main', /Skykeep[^]*On this computer/);
    await picture('4-where');
  });

  step('the account becomes kept', async () => {
    await window.click(NEXT);
    await window.find(ANSWER);
    await picture('5-first-backup');
    await window.says(ANSWER, /^Your posts are kept\.$/);
    // The button comes back when the run has ended.
    await window.find(MAIN_BUTTON);
    await window.says('section.status', /Last checked (just now|\d+ minutes? ago), on this computer only\./);
    assert.ok((await window.count('li.snapshot')) >= 1);
    assert.match(
      await window.text('main'),
      new RegExp(`${network.account.records}\\s+records|records\\s+${network.account.records}`),
    );
    await picture('6-kept');
  });

  step('its files are in the vault', async () => {
    const account = path.join(vault, 'accounts', network.account.did.replaceAll(':', '_'));
    const names = (folder) => fs.readdirSync(path.join(account, folder), { recursive: true });
    const manifests = names('snapshots').sort();
    assert.ok(manifests.length >= 1);
    const newest = fs.readFileSync(path.join(account, 'snapshots', manifests.at(-1)), 'utf8');
    assert.ok(newest.includes(network.account.did), 'the manifest names the account');
    assert.ok(names('repo').some((name) => name.endsWith('.car')));
    const sizes = network.account.blobs.map(({ cid }) => {
      const file = path.join(account, 'blobs', cid.slice(-2), cid);
      return fs.existsSync(file) && fs.statSync(file).size;
    });
    assert.deepEqual(
      sizes,
      network.account.blobs.map(({ size }) => size),
    );
    assert.deepEqual(
      fs
        .readdirSync(vault)
        .filter((name) => ['README.txt', 'recover.py'].includes(name))
        .sort(),
      ['README.txt', 'recover.py'],
    );
  });

  step('backing up again finds nothing new, and says so', async () => {
    await window.click(MAIN_BUTTON);
    await window.says('li.checked', /Nothing new, checked again/);
    await window.says('section.status', /Last checked just now/);
    await window.find(MAIN_BUTTON);
    await window.click('li.snapshot button');
    await window.says('li.snapshot', /Valid: the account's key/);
    await picture('7-snapshot');
  });
});

describe('the rooms', () => {
  const rooms = [
    ['accounts', /Accounts/],
    ['places', /On this computer/],
    ['recovery', /portable copy/i],
    ['settings', /Language/],
    ['diagnostics', /report/i],
    ['', /Could you get your account back today\?/],
  ];
  for (const [name, content] of rooms) {
    step(`${name || 'home'} shows what is real`, async () => {
      await go(`#/${name}`);
      await window.says('main', content);
      assert.equal(await window.count('main [role=alert]'), 0);
      await picture(`room-${name || 'home'}`);
    });
  }
});

describe('a host that dies', () => {
  const host = (verb) => fetch(`${network.facts.control}/${verb}/A`, { method: 'POST' });

  step('is said to be the host, and nothing is lost', async () => {
    await go(`#/account/${network.account.did}`);
    assert.ok((await host('kill')).ok);
    await window.click(MAIN_BUTTON);
    await window.says('main', /localhost:\d+ does not answer\.[^]*Everything kept before is still there\./, 120_000);
    await window.says(ANSWER, /^Your posts are kept/);
    await picture('host-gone');
  });

  step('heals when it is back', async () => {
    assert.ok((await host('start')).ok);
    await window.click(MAIN_BUTTON);
    await until('the problem to go', async () => !/does not answer/.test(await window.text('main')), 120_000);
    await window.says('section.status', /Last checked just now/);
  });
});

describe('out of the way', () => {
  let pid;
  const pages = () =>
    run('ps', ['--ppid', String(pid), '-o', 'stat=,comm=']).then((all) =>
      all.split('\n').filter((line) => /^[^Z]\S*\s+WebKitWebProces/.test(line)),
    );
  const choose = async (label) => {
    const menu = await until('the tray menu', () => trayMenu(env, pid));
    const entry = (await menu.entries()).find((entry) => entry.label === label);
    assert.ok(entry, `${label} in the tray menu`);
    await menu.choose(entry.id);
  };

  step('closing the window leaves Skykeep in the tray, without its web view', async () => {
    pid = await until('Skykeep on the bus', () => busName(env, 'app.skykeep.desktop.SingleInstance'));
    await closeWindow(env);
    await until('the web view to end', async () => (await pages()).length === 0);
    process.kill(pid, 0);
    const menu = await until('the tray menu', () => trayMenu(env, pid));
    assert.deepEqual(
      (await menu.entries()).map((entry) => entry.label),
      ['Posts are kept', 'Open Skykeep', 'Back up now', 'Pause for', '1 hour', 'Until tomorrow', 'Quit'],
    );
  });

  step('a second start shows the first one’s window, and ends', async () => {
    await run(APP, [], { env });
    await until('the window', () => isOpen(env));
    await closeWindow(env);
    await run(APP, ['--hidden'], { env });
    assert.equal(await isOpen(env), false);
  });

  step('a pause from the tray is said there, and ends there', async () => {
    const first = async () => (await (await trayMenu(env, pid))?.entries())?.[0].label;
    await choose('Until tomorrow');
    await until('the tray to say that it is paused', async () => (await first()) === 'Paused');
    await choose('Go on');
    await until('the tray to say that it goes on', async () => (await first()) === 'Posts are kept');
  });

  step('when a person is needed, the desktop says so, and leads to the page that helps', async () => {
    await loseAlmostAll();
    await choose('Back up now');
    const said = await until('a notification', () => desktop.notifications().at(-1));
    assert.match(said, /string "Skykeep"/);
    await until('dunst to show it', async () => Number(await run('dunstctl', ['count', 'displayed'], { env })) > 0);
    await desktop.picture(path.join(PICTURES, '8-notification.png'));
    await run('dunstctl', ['action'], { env });
    await until('the window', () => isOpen(env));
    await until('the tray to say so', async () => {
      const menu = await trayMenu(env, pid);
      return (await menu?.entries())?.[0].label === 'Skykeep needs you';
    });
    // The page behind the reopened window can only be looked at: an empty one has a handful of colours.
    const file = path.join(PICTURES, '9-needs-you.png');
    await until('the page to be painted', async () => {
      await desktop.picture(file);
      return Number(await run('identify', ['-format', '%k', file])) > 1000;
    });
  });

  step('Quit ends it', async () => {
    await choose('Quit');
    await until(
      'the end of Skykeep',
      async () => !/^[^Z]/m.test(await run('ps', ['-p', String(pid), '-o', 'stat=']).catch(() => '')),
    );
  });
});
