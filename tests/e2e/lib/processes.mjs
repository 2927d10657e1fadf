// Processes that tests start, and end: each in a group of its own, so that nothing it started stays behind.
import { spawn } from 'node:child_process';
import fs from 'node:fs';

const started = [];

// A test that dies must not leave a desktop behind.
process.on('exit', () => started.forEach((child) => signal(child, 'SIGKILL')));
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => process.exit(1));

/** False when nobody of the group is left. */
function signal(child, name) {
  try {
    return child.pid !== undefined && process.kill(-child.pid, name);
  } catch {
    return false;
  }
}

/**
 * Starts a program in its own process group. `input` is written to it, `hold` keeps its input open, `pipe` leaves its
 * output readable, `log` is a file for what it complains about.
 */
export function start(program, args, { env = process.env, input, hold = false, pipe = false, log, cwd } = {}) {
  const complaints = log ? fs.openSync(log, 'a') : 'ignore';
  const stdio = [input !== undefined || hold ? 'pipe' : 'ignore', pipe ? 'pipe' : 'ignore', complaints];
  const child = spawn(program, args, { env, cwd, stdio, detached: true });
  child.gone = new Promise((resolve) => child.once('exit', resolve).once('error', resolve));
  if (input) child.stdin.end(input);
  started.push(child);
  return child;
}

/** Kills a group. Resolves when its first process is gone. */
export async function kill(child) {
  signal(child, 'SIGKILL');
  await child.gone;
}

/** Ends a group: politely, then not. Resolves when its first process is gone. */
export async function end(child) {
  for (const [name, patience] of [
    ['SIGTERM', 8000],
    ['SIGKILL', 4000],
  ]) {
    if (!signal(child, name)) return;
    await until('the end', () => !signal(child, 0), patience).catch(() => undefined);
  }
}

/** Ends everything that was started, the last first. */
export async function endAll() {
  for (const child of started.splice(0).reverse()) await end(child);
}

/** The first line that a program prints. */
export function firstLine(child) {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (more) => {
      text += more;
      const line = text.split('\n', 1)[0];
      if (text.includes('\n')) resolve(line);
    });
    child.gone.then(() => reject(new Error(`${child.spawnfile} ended before it said anything`)));
  });
}

/** Runs a program to its end and returns what it printed; throws when it fails. */
export async function run(program, args, { env = process.env, cwd } = {}) {
  const child = spawn(program, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let [said, complained] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text) => (said += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (complained += text));
  const code = await new Promise((resolve, reject) => child.once('close', resolve).once('error', reject));
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${complained.trim()}`);
  return said;
}

/** Asks again and again until the answer is not false or undefined, and returns it. */
export async function until(what, question, patience = 60_000) {
  const deadline = Date.now() + patience;
  let last;
  while (Date.now() < deadline) {
    try {
      last = await question();
      if (last !== undefined && last !== false && last !== null) return last;
    } catch (error) {
      last = error;
    }
    await wait(150);
  }
  throw new Error(`waited ${patience / 1000} s for ${what}${last instanceof Error ? `: ${last.message}` : ''}`);
}

function wait(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
