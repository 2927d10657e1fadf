#!/usr/bin/env node
// Starts the whole network: a PLC directory, two PDSes (A and B), a mail sink and a control server, all on loopback.
// Prints one line of JSON when every server answers, then stays until it is told to stop.
//
//   node up.mjs [--dir FOLDER] [--base-port N] [--tight] [--invites] [--pds-env NAME=VALUE]... [--log-level LEVEL]
//
//   --dir FOLDER      state, kept; started again with it, the network remembers everything, its ports too.
//                     Without it: a temporary folder, removed at the end.
//   --base-port N     control = N, mail = N+1, directory = N+2, A = N+3, B = N+4. 0 (default): free ones are found.
//   --tight           A and B keep the reference PDS's own limits (5 MiB blobs and imports) instead of 100 MiB
//   --invites         B takes new accounts only with an invite code (POST /invite on the control server makes one)
//   --pds-env N=V     one more PDS_* setting for both, e.g. PDS_RATE_LIMITS_ENABLED=true
//   --log-level L     how much the servers write to <dir>/logs (default warn)
//
// Every way of ending leaves no process behind: SIGTERM, SIGINT, SIGHUP, death of the parent, the far end of standard
// input or standard output closed; and when this process itself is killed, the servers notice and end by themselves.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startControl } from './lib/control.mjs';
import { isReady } from './lib/installed.mjs';
import { onOrphaned } from './lib/lifeline.mjs';
import { startMailSink } from './lib/mail.mjs';
import { claimPorts } from './lib/ports.mjs';
import { Server } from './lib/server.mjs';
import { openState } from './lib/state.mjs';

const HUNDRED_MIB = 100 * 1024 * 1024;

const began = Date.now();
const options = readOptions();
const temporary = options.dir === undefined;
const dir = temporary ? fs.mkdtempSync(path.join(os.tmpdir(), 'skykeep-network-')) : path.resolve(options.dir);

/** What must end before this process does. */
const servers = {};
let ending;

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => end(0));
process.on('uncaughtException', (error) => end(1, error));
process.on('unhandledRejection', (error) => end(1, error));
onOrphaned(() => end(0));

try {
  await start();
} catch (error) {
  await end(1, error);
}

async function start() {
  fs.mkdirSync(path.join(dir, 'logs'), { recursive: true });
  const state = openState(dir);
  const { ports, control: socket } = await claimPorts(options.basePort || state.basePort, state.basePort);
  state.remember(ports.control);

  const url = (name) => `http://localhost:${ports[name]}`;
  const log = { LOG_ENABLED: 'true', LOG_LEVEL: options.logLevel };
  const child = (name, script, env) => new Server({ name, script, env: { ...log, ...env }, dir, port: ports[name] });
  servers.plc = child('plc', 'plc.mjs', { SKYKEEP_PLC_PORT: ports.plc, SKYKEEP_PLC_DIR: path.join(dir, 'plc') });
  for (const name of ['A', 'B']) {
    servers[name] = child(name, 'pds.mjs', pdsSettings(name, ports, state.secrets[name]));
  }

  const mail = await startMailSink(ports.smtp);
  await Promise.all(Object.values(servers).map((server) => server.start()));

  const facts = () => ({
    control: url('control'),
    resolver: url('control'),
    plc: url('plc'),
    A: url('A'),
    B: url('B'),
    smtp: `smtp://localhost:${ports.smtp}`,
    dir,
    tight: options.tight,
    invites: options.invites,
    adminPassword: { A: state.secrets.A.admin, B: state.secrets.B.admin },
    pids: { up: process.pid, ...mapValues(servers, (server) => server.pid) },
  });
  startControl(socket, { facts, servers, mail, secrets: state.secrets });
  // Written by hand, not by console.log: lifeline.mjs may be reading from the other direction of this pipe.
  fs.writeSync(1, `${JSON.stringify({ ...facts(), startMs: Date.now() - began })}\n`);
}

/** The reference PDS's environment. `localhost` is the one name for which it calls itself plain http. */
function pdsSettings(name, ports, secrets) {
  const home = path.join(dir, name);
  fs.mkdirSync(home, { recursive: true });
  return {
    PDS_HOSTNAME: 'localhost',
    PDS_PORT: ports[name],
    // The default, did:web:localhost, would be the same for both.
    PDS_SERVICE_DID: `did:web:localhost%3A${ports[name]}`,
    PDS_DEV_MODE: 'true',
    // Not 127.0.0.1: the PDS refuses to resolve DIDs through an address.
    PDS_DID_PLC_URL: `http://localhost:${ports.plc}`,
    PDS_DATA_DIRECTORY: home,
    PDS_BLOBSTORE_DISK_LOCATION: path.join(home, 'blobs'),
    PDS_BLOBSTORE_DISK_TMP_LOCATION: path.join(home, 'blobs-temporary'),
    PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX: secrets.rotationKey,
    PDS_JWT_SECRET: secrets.jwt,
    PDS_DPOP_SECRET: secrets.dpop,
    PDS_ADMIN_PASSWORD: secrets.admin,
    PDS_INVITE_REQUIRED: String(options.invites && name === 'B'),
    PDS_SERVICE_HANDLE_DOMAINS: '.test',
    PDS_ENABLE_DID_DOC_WITH_SESSION: 'true',
    PDS_EMAIL_SMTP_URL: `smtp://localhost:${ports.smtp}`,
    PDS_EMAIL_FROM_ADDRESS: `pds-${name.toLowerCase()}@skykeep.test`,
    // Nothing answers there; without the setting the PDS has no getPreferences and putPreferences.
    PDS_BSKY_APP_VIEW_URL: `http://localhost:${ports.control}/no-appview`,
    PDS_BSKY_APP_VIEW_DID: 'did:web:appview.skykeep.test',
    ...(options.tight
      ? {}
      : { PDS_BLOB_UPLOAD_LIMIT: String(HUNDRED_MIB), PDS_MAX_REPO_IMPORT_SIZE: String(HUNDRED_MIB) }),
    ...options.pdsEnv,
  };
}

/** Ends every server, removes what is temporary, and goes. Called again, it waits for the same end. */
function end(code, error) {
  ending ??= (async () => {
    if (error) process.stderr.write(`test network: ${error.stack ?? error}\n`);
    await Promise.all(Object.values(servers).map((server) => server.kill()));
    if (temporary) fs.rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    process.exit(code);
  })();
  return ending;
}

function readOptions() {
  const usage = (message) => {
    process.stderr.write(`test network: ${message}\n`);
    process.exit(2);
  };
  if (!isReady()) usage('not installed yet; run: node tests/network/setup.mjs');
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        dir: { type: 'string' },
        'base-port': { type: 'string', default: '0' },
        tight: { type: 'boolean', default: false },
        invites: { type: 'boolean', default: false },
        'pds-env': { type: 'string', multiple: true, default: [] },
        'log-level': { type: 'string', default: 'warn' },
      },
    }));
  } catch (error) {
    usage(error.message);
  }
  const basePort = Number(values['base-port']);
  if (!Number.isInteger(basePort) || basePort < 0 || (basePort > 0 && basePort < 1024) || basePort > 65530) {
    usage(`--base-port ${values['base-port']} is not 0 or 1024..65530`);
  }
  const pdsEnv = {};
  for (const pair of values['pds-env']) {
    const [, name, value] = /^(PDS_[A-Z0-9_]+)=(.*)$/s.exec(pair) ?? usage(`--pds-env ${pair} is not PDS_NAME=VALUE`);
    pdsEnv[name] = value;
  }
  const { dir, tight, invites } = values;
  return { dir, tight, invites, basePort, pdsEnv, logLevel: values['log-level'] };
}

function mapValues(object, change) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}
