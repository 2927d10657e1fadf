// One server in a process of its own, under the bundled Node: started, stopped and killed as often as a test likes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { BUNDLED_NODE, HERE, cacheFolder } from './installed.mjs';

const START_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 3_000;

/** A restartable server process. Its script says `ready` over IPC, and ends when the IPC channel closes. */
export class Server {
  #options;
  #child;
  #turn = Promise.resolve();

  /** `script` lies in tests/network; `env` is all the environment it gets beside the plain basics. */
  constructor({ name, script, env, dir, port }) {
    this.#options = { name, script, env, log: path.join(dir, 'logs', `${name}.log`) };
    this.port = port;
  }

  /** The process id, or null while it is down. */
  get pid() {
    return this.#isUp() ? this.#child.pid : null;
  }

  /** Starts it and waits until it listens. Does nothing when it is up already. */
  start() {
    return this.#inTurn(async () => {
      if (this.#isUp()) return;
      const { name, script, env, log } = this.#options;
      const out = fs.openSync(log, 'a');
      const child = spawn(BUNDLED_NODE, [path.join(HERE, script)], {
        cwd: HERE,
        env: { ...basics(), ...env },
        stdio: ['ignore', out, out, 'ipc'],
        // A group of its own: Ctrl-C on a terminal reaches up.mjs, which then ends the servers in order.
        detached: true,
      });
      fs.closeSync(out);
      this.#child = child;
      const limit = AbortSignal.timeout(START_LIMIT_MS);
      const outcome = await Promise.race([
        once(child, 'message', { signal: limit }).then(
          () => 'ready',
          () => 'slow',
        ),
        once(child, 'exit').then(([code, signal]) => `ended with ${signal ?? `code ${code}`}`),
      ]);
      if (outcome === 'ready') return;
      child.kill('SIGKILL');
      throw new Error(`server ${name} ${outcome === 'slow' ? 'did not start in time' : outcome}\n${tail(log)}`);
    });
  }

  /** Asks it to close in order; after three seconds it is killed. */
  stop() {
    return this.#inTurn(() => this.#end('SIGTERM'));
  }

  /** SIGKILL: what a power cut does to it. Does not wait for a start that is under way. */
  kill() {
    if (this.#isUp()) this.#child.kill('SIGKILL');
    return this.#inTurn(() => this.#end('SIGKILL')).catch(() => {});
  }

  async #end(signal) {
    if (!this.#isUp()) return;
    const child = this.#child;
    const ended = once(child, 'exit');
    const limit = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    child.kill(signal);
    await ended;
    clearTimeout(limit);
  }

  #isUp() {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** One change at a time, in the order in which they were asked for. */
  #inTurn(action) {
    const turn = this.#turn.then(action);
    this.#turn = turn.catch(() => {});
    return turn;
  }
}

/** Nothing of the caller's environment reaches a server but what every program needs. */
function basics() {
  const { PATH, HOME, TMPDIR, LANG } = process.env;
  return { PATH, HOME, TMPDIR, LANG, NODE_COMPILE_CACHE: path.join(cacheFolder(), 'compiled') };
}

/** The end of a log: what a server said before it failed. */
function tail(file) {
  return fs.readFileSync(file, 'utf8').split('\n').slice(-15).join('\n');
}
