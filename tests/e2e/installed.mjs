// The installed package as a desktop meets it: its menu entry, its links, its command line, and its removal.
//
// `cargo xtask test --release-gate` runs this through lib/installed.sh, so that what dpkg does here is undone.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { busName, closeWindow, isOpen, startDesktop, startNetwork, trayMenu } from './lib/desktop.mjs';
import { endAll, run, start, until } from './lib/processes.mjs';

const PICTURES = path.resolve(import.meta.dirname, '../../target/e2e');
const PATIENCE = { timeout: 120_000 };
const MENU_ENTRY = '/usr/share/applications/Skykeep.desktop';

let desktop;
let network;
let env;
let vault;
let pid;
/** Somebody may use an installed Skykeep of their own meanwhile. */
let others;

before(async () => {
  others = running('/usr/bin/skykeep');
  fs.mkdirSync(PICTURES, { recursive: true });
  desktop = await startDesktop();
  const log = path.join(desktop.root, 'log');
  network = await startNetwork(log, ['account', '--records', '60', '--large-blob', '300000']);
  env = { ...desktop.env, ...network.env, SKYKEEP_KEYSTORE: 'os' };
  vault = path.join(desktop.home, 'Skykeep');
});

after(async () => {
  if (pid && running('/usr/bin/skykeep').includes(String(pid))) process.kill(pid, 'SIGTERM');
  await endAll();
  if (desktop) fs.rmSync(desktop.root, { recursive: true, force: true });
});

/** Every file below a folder with what it holds. */
function content(folder) {
  const files = fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const hash = (file) => createHash('sha256').update(fs.readFileSync(file)).digest('hex');
  return files
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort()
    .map((file) => [file, hash(file)]);
}

/** The processes that run a program. */
function running(program) {
  const runs = (process) => {
    try {
      return fs.readlinkSync(`/proc/${process}/exe`) === program;
    } catch {
      return false;
    }
  };
  return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name) && runs(name));
}

/** Opens a menu entry or a link. What it starts stays, so its output is nobody's. */
const open = (...args) => start('gio', args, { env }).gone;

const skykeep = (...args) => run('skykeep-cli', args, { env });

test('its menu entry starts it', PATIENCE, async () => {
  await open('launch', MENU_ENTRY);
  pid = await until('Skykeep on the bus', () => busName(env, 'app.skykeep.desktop.SingleInstance'));
  assert.equal(fs.readlinkSync(`/proc/${pid}/exe`), '/usr/bin/skykeep');
  await until('the window', () => isOpen(env));
});

test('its command line hands what is to be done to it', PATIENCE, async () => {
  await skykeep('account', 'add', network.accounts[0].handle);
  await skykeep('place', 'add', 'folder', vault);
  await skykeep('backup', network.accounts[0].handle);
  const { checks } = JSON.parse(await skykeep('--json', 'check'));
  assert.deepEqual(
    checks.map(({ damaged }) => damaged),
    [[]],
  );
  const account = path.join(vault, 'accounts', network.accounts[0].did.replaceAll(':', '_'));
  assert.ok(fs.readdirSync(path.join(account, 'snapshots')).length >= 1);
  // The page can only be looked at here: an empty one has a handful of colours.
  const file = path.join(PICTURES, '9-installed.png');
  await until('the page to be painted', async () => {
    await desktop.picture(file);
    return Number(await run('identify', ['-format', '%k', file])) > 1000;
  });
});

test('a link opens the one that runs', PATIENCE, async () => {
  await closeWindow(env);
  await open('open', 'skykeep://recover');
  await until('the window', () => isOpen(env));
  assert.equal(await busName(env, 'app.skykeep.desktop.SingleInstance'), pid);
  await until('one program alone', () => running('/usr/bin/skykeep').length === others.length + 1);
});

test('removing it, settings and all, leaves what it kept alone', PATIENCE, async () => {
  const menu = await until('the tray menu', () => trayMenu(env, pid));
  await menu.choose((await menu.entries()).find((entry) => entry.label === 'Quit').id);
  await until('the end of Skykeep', async () => !(await busName(env, 'app.skykeep.desktop.SingleInstance')));
  const data = path.join(desktop.home, '.local/share/app.skykeep.desktop');
  const before = [...content(vault), ...content(data)];
  assert.ok(before.length > 5, 'there is something to lose');
  await run('dpkg', ['--remove', 'skykeep']);
  await run('dpkg', ['--purge', 'skykeep']);
  for (const gone of ['/usr/bin/skykeep', '/usr/bin/skykeep-cli', MENU_ENTRY]) {
    assert.equal(fs.existsSync(gone), false, gone);
  }
  assert.deepEqual([...content(vault), ...content(data)], before);
});
