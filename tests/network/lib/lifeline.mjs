// Notices that nobody is there any more to use this network.
//
// Three signs, because none of them covers every way of starting it:
// - the parent died: the process then has another parent;
// - standard input is a pipe and its far end was closed (how a test holds the network: the pipe closes with the test,
//   however the test ends);
// - standard output is a pipe and its reader is gone. Nothing is written after the first line, so no write would fail:
//   a socket is read to its end; for a plain pipe `tail -f` waits, which ends when the pipe that it writes to breaks.
// A terminal says so by SIGHUP. /dev/null and files say nothing.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';

const LOOK_EVERY_MS = 250;

/** Calls `gone` once or more when the parent or the far end of a pipe is gone. */
export function onOrphaned(gone) {
  const parent = process.ppid;
  setInterval(() => process.ppid === parent || gone(), LOOK_EVERY_MS).unref();
  if (isPipe(0) || isSocket(0)) untilEnd(0, gone);
  if (isSocket(1)) untilEnd(1, gone);
  if (isPipe(1)) untilBroken(gone);
}

function untilEnd(fd, gone) {
  const stream = new net.Socket({ fd, readable: true, writable: false, allowHalfOpen: true });
  stream.on('end', gone).on('close', gone).on('error', gone).resume();
}

function untilBroken(gone) {
  const watcher = spawn('tail', ['-f', '-s', '0.2', `--pid=${process.pid}`, '/dev/null'], {
    stdio: ['ignore', 1, 'ignore'],
    detached: true,
  });
  watcher.on('exit', gone);
  // A system without GNU tail has the two other signs.
  watcher.on('error', () => {});
  process.on('exit', () => watcher.kill('SIGKILL'));
}

function isPipe(fd) {
  return look(fd)?.isFIFO() ?? false;
}

function isSocket(fd) {
  return look(fd)?.isSocket() ?? false;
}

function look(fd) {
  try {
    return fs.fstatSync(fd);
  } catch {
    return undefined;
  }
}
