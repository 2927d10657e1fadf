// A real S3 server on loopback: SeaweedFS, which tests/s3/setup.mjs installs, with one empty bucket.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { kill, run, start, until } from './processes.mjs';

const S3 = path.resolve(import.meta.dirname, '../../s3');
/** SeaweedFS listens on each port and on the one this far above it. */
const GRPC = 10_000;
/** It takes 3 s when the machine is quiet. */
const PATIENCE = 120_000;

export const BUCKET = 'skykeep';
/** The keys that it knows at first, and others. */
export const FIRST = { key: 'AKIDSKYKEEPTESTS', secret: 'wJalrXUtnFEMI-not-a-real-secret' };
export const LATER = { key: 'AKIDSKYKEEPLATER', secret: 'bPxRfiCYEXAMPLE-not-a-real-one-either' };

/** Starts a server; it ends with everything else that the test started. What it complains about goes to `log`. */
export async function startStorage(folder, log) {
  await run(process.execPath, [path.join(S3, 'setup.mjs')]);
  fs.mkdirSync(path.join(folder, 'data'), { recursive: true });
  const storage = new Storage(folder, log, await freePorts(4));
  storage.knows(FIRST);
  await storage.start();
  const bucket = `http://127.0.0.1:${storage.ports[1]}/buckets/${BUCKET}/`;
  const made = () => fetch(bucket, { method: 'POST' }).then(({ ok }) => ok, () => false); // prettier-ignore
  await until('a bucket', made, PATIENCE);
  return storage;
}

class Storage {
  constructor(folder, log, ports) {
    Object.assign(this, { folder, log, ports, endpoint: `http://127.0.0.1:${ports[0]}` });
  }

  /** From its next start on it knows these keys and no others. */
  knows(...keys) {
    const credentials = keys.map(({ key, secret }) => ({ accessKey: key, secretKey: secret }));
    const identities = [{ name: 'admin', credentials, actions: ['Admin', 'Read', 'Write', 'List', 'Tagging'] }];
    fs.writeFileSync(path.join(this.folder, 's3.json'), JSON.stringify({ identities }));
  }

  /** Starts it, or starts it again with everything it had kept. */
  async start() {
    const [s3, filer, master, volume] = this.ports;
    const words =
      `server -dir=data -ip=127.0.0.1 -ip.bind=127.0.0.1 -master.port=${master} -volume.port=${volume} -filer ` +
      `-filer.port=${filer} -s3 -s3.port=${s3} -s3.port.iceberg=0 -s3.port.lance=0 -s3.config=s3.json ` +
      '-master.volumeSizeLimitMB=64 -volume.max=400 -master.telemetry=false';
    this.server = start(weed(), words.split(' '), { cwd: this.folder, log: this.log });
    const answers = () => fetch(this.endpoint).then(() => true, () => false); // prettier-ignore
    await until('the storage', answers, PATIENCE);
  }

  /** What lies in a folder of the bucket, asked behind the back of S3. */
  async lists(folder) {
    const address = `http://127.0.0.1:${this.ports[1]}/buckets/${BUCKET}/${folder}/?limit=1000`;
    const { Entries } = await (await fetch(address, { headers: { accept: 'application/json' } })).json();
    return Entries.map(({ FullPath }) => path.basename(FullPath));
  }

  /** Ends it as a power cut would; what it had kept stays. */
  kill() {
    return kill(this.server);
  }
}

/** Where setup.mjs puts it. */
function weed() {
  const wanted = fs.readFileSync(path.join(S3, 'requirements.txt'));
  const name = createHash('sha256').update(wanted).digest('hex').slice(0, 16);
  const cache = process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache');
  return path.join(cache, 'skykeep/s3-servers', name, 'bin/weed');
}

/** Ports that are free now, and those above them. */
async function freePorts(count) {
  const ports = [];
  while (ports.length < count) {
    const port = 10_000 + Math.floor(Math.random() * GRPC);
    if (!ports.includes(port) && (await isFree(port)) && (await isFree(port + GRPC))) ports.push(port);
  }
  return ports;
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = net.createServer().once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
