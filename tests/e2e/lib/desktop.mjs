// A desktop of the test's own: X server, session bus, unlocked keyring, notifications, window manager; all of them real.
//
// The person's own desktop is never used, since a running Skykeep there would answer instead of the one under test.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { end, firstLine, run, start, until } from './processes.mjs';

/** Starts it; resolves to { env, home, ... } when every daemon answers. */
export async function startDesktop() {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'skykeep-e2e-'));
  const home = path.join(root, 'home');
  const runtime = path.join(root, 'run');
  fs.mkdirSync(home);
  fs.mkdirSync(runtime, { mode: 0o700 });
  const env = {
    PATH: process.env.PATH,
    LANG: 'C.UTF-8',
    HOME: home,
    XDG_RUNTIME_DIR: runtime,
    XDG_DATA_HOME: path.join(home, '.local/share'),
    XDG_CONFIG_HOME: path.join(home, '.config'),
    XDG_CACHE_HOME: path.join(home, '.cache'),
    GDK_BACKEND: 'x11',
    NO_AT_BRIDGE: '1',
  };

  // Keys do not repeat (-r): on a busy machine a key that was pressed is let go late.
  const screen = ['-screen', '0', '1280x800x24', '-r'];
  const server = start('Xvfb', ['-displayfd', '1', ...screen, '-nolisten', 'tcp', '-noreset'], { env, pipe: true });
  env.DISPLAY = `:${(await firstLine(server)).trim()}`;
  const bus = start('dbus-daemon', ['--session', '--nofork', '--print-address'], { env, pipe: true });
  env.DBUS_SESSION_BUS_ADDRESS = (await firstLine(bus)).trim();
  start('gnome-keyring-daemon', ['--foreground', '--unlock', '--components=secrets'], {
    env,
    input: 'for this test only',
  });
  start('dunst', [], { env });
  start('openbox', [], { env });
  for (const name of ['org.freedesktop.secrets', 'org.freedesktop.Notifications']) {
    await until(name, () => ownerOf(env, name));
  }
  await until('the window manager', async () => {
    const said = await run('xprop', ['-root', '_NET_SUPPORTING_WM_CHECK'], { env });
    return said.includes('window id');
  });
  return {
    env,
    home,
    root,
    notifications: listen(env),
    picture: (file) => run('import', ['-window', 'root', file], { env }),
  };
}

/** Calls a method of the bus itself; resolves to what gdbus prints. */
function askBus(env, method, ...args) {
  const to = ['--dest', 'org.freedesktop.DBus', '--object-path', '/org/freedesktop/DBus'];
  return run('gdbus', ['call', '--session', ...to, '--method', `org.freedesktop.DBus.${method}`, ...args], { env });
}

async function ownerOf(env, name) {
  return (await askBus(env, 'NameHasOwner', name)).includes('true');
}

/** The process that owns a name on the bus, if one does. */
export async function busName(env, name) {
  const said = await askBus(env, 'GetConnectionUnixProcessID', name).catch(() => '');
  const pid = /uint32 (\d+)/.exec(said)?.[1];
  return pid && Number(pid);
}

/** Collects what programs ask the notification daemon to show: one text each, as dbus-monitor writes it. */
function listen(env) {
  const rule = "type='method_call',interface='org.freedesktop.Notifications',member='Notify'";
  const monitor = start('dbus-monitor', ['--session', rule], { env, pipe: true });
  let text = '';
  monitor.stdout.setEncoding('utf8').on('data', (more) => (text += more));
  return () => text.split(/^method call /m).filter((call) => call.includes('member=Notify'));
}

async function windows(env) {
  const found = await run('xdotool', ['search', '--onlyvisible', '--name', '^Skykeep$'], { env }).catch(() => '');
  return found.trim().split('\n').filter(Boolean);
}

/** Whether Skykeep's window is on the screen. */
export async function isOpen(env) {
  return (await windows(env)).length > 0;
}

/** How long a key that was pressed may take to do what it does, in milliseconds. */
const KEY_PATIENCE = 3000;

/** Closes Skykeep's window as a person would, and resolves when it is gone. A key that went elsewhere is pressed again. */
export async function closeWindow(env) {
  let pressed = -Infinity;
  await until('the window to close', async () => {
    const [id] = await windows(env);
    if (!id) return true;
    if (Date.now() - pressed > KEY_PATIENCE) {
      const keys = ['windowactivate', '--sync', id, 'key', '--clearmodifiers', 'alt+F4'];
      await run('timeout', ['5', 'xdotool', ...keys], { env }).catch(() => {});
      pressed = Date.now();
    }
    return false;
  });
}

/** Resolves to the process that is Skykeep when nothing of a closed window is left in it: it has begun anew by then. */
export function atRest(env) {
  return until('Skykeep to be at rest', async () => {
    const pid = await busName(env, 'app.skykeep.desktop.SingleInstance');
    const below = pid && (await run('ps', ['--ppid', String(pid), '-o', 'comm=']).catch(() => ''));
    return below === undefined || /WebKit/.test(below) || !(await trayMenu(env, pid)) ? undefined : pid;
  });
}

/** The tray menu of a process, over the bus, as a panel would use it. */
export async function trayMenu(env, pid) {
  const names = (await askBus(env, 'ListNames')).match(/:\d+\.\d+/g) ?? [];
  for (const name of names) {
    const owner = await askBus(env, 'GetConnectionUnixProcessID', name).catch(() => '');
    if (!new RegExp(`\\b${pid}\\b`).test(owner)) continue;
    const menu = await menuOf(env, name).catch(() => undefined);
    if (menu) return menu;
  }
  return undefined;
}

async function menuOf(env, name) {
  const items = '/org/ayatana/NotificationItem';
  const inside = await run('gdbus', ['introspect', '--session', '--dest', name, '--object-path', items], { env });
  const item = /node (\w+) \{/.exec(inside.slice(inside.indexOf('{')))?.[1];
  const object = `${items}/${item}/Menu`;
  const call = (method, ...args) => {
    const to = ['--dest', name, '--object-path', object, '--method', `com.canonical.dbusmenu.${method}`];
    return run('gdbus', ['call', '--session', ...to, '--', ...args], { env });
  };
  return {
    /** The words of its entries, in order, with the number by which each is chosen. */
    entries: async () => {
      const layout = await call('GetLayout', '0', '-1', '[]');
      return [...layout.matchAll(/\((?:int32 )?(\d+), \{[^}]*'label': <'([^']*)'>/g)].map(([, id, label]) => ({
        id,
        label,
      }));
    },
    choose: (id) => call('Event', String(id), 'clicked', '<int32 0>', '0'),
  };
}

/** Starts the test network with accounts on A; resolves to its addresses, the accounts, and the app's environment. */
export async function startNetwork(log, seed) {
  const folder = path.resolve(import.meta.dirname, '../../network');
  const up = start('node', ['up.mjs'], { cwd: folder, hold: true, pipe: true, log });
  const facts = JSON.parse(await firstLine(up));
  const lines = (await run('node', ['seed.mjs', ...seed, '--pds', facts.A], { cwd: folder })).trim().split('\n');
  const accounts = lines.map((line) => JSON.parse(line));
  const env = {
    SKYKEEP_PLC_URL: facts.plc,
    SKYKEEP_HANDLE_RESOLVER: facts.resolver,
    SKYKEEP_APPVIEW_URL: '',
    SKYKEEP_LOOPBACK_HTTP: '1',
  };
  return { facts, accounts, env, stop: () => end(up) };
}
