// Proves what tests and the demo lean on: node --test selftest.mjs
//
// Nothing here sleeps for luck: what takes time is asked for until it is so, or until a limit says that it never will.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { P256Keypair, Secp256k1Keypair } from '@atproto/crypto';
import * as plc from '@did-plc/lib';
import { HERE, isReady } from './lib/installed.mjs';
import { readMail } from './lib/mail.mjs';
import { jpeg, png } from './seed/pictures.mjs';
import { Random } from './seed/random.mjs';
import { Pds, Refused } from './seed/xrpc.mjs';

assert.ok(isReady(), 'run first: node tests/network/setup.mjs');
/** For one test, on a machine with much else to do; a quiet one starts a network in three seconds. */
const LIMIT = { timeout: 300_000 };
const MIB = 1024 * 1024;

describe('one network', () => {
  let network;
  let account;

  before(async () => {
    network = await Network.start();
    [account] = await seed('account', '--pds', network.A, '--records', '30', '--handle', 'june.test');
  }, LIMIT);
  after(() => network.stop());

  test('30 records are there, with a video of 8 MiB', async () => {
    assert.equal(account.records, 30);
    assert.equal(sum(Object.values(account.collections)), 30);
    assert.ok(account.blobs.some(({ size, mimeType }) => size === 8 * MIB && mimeType === 'video/mp4'));
    const { collections } = await new Pds(network.A).query('com.atproto.repo.describeRepo', { repo: account.did });
    assert.deepEqual([...collections].sort(), Object.keys(account.collections).sort());
    assert.ok(account.deleted.length > 0 && account.edited.length > 0);
    for (const uri of account.deleted) await assert.rejects(record(uri), { error: 'RecordNotFound' });
    for (const uri of account.edited) assert.ok(await record(uri));
  });

  test('the same seed writes the same records', async () => {
    const again = ['--records', '12', '--seed', 'twice', '--large-blob', '0', '--handle', 'twin.test'];
    const [one] = await seed('account', '--pds', network.A, ...again);
    const [two] = await seed('account', '--pds', network.B, ...again);
    assert.notEqual(one.did, two.did);
    assert.deepEqual(one.blobs, two.blobs);
    const follows = async ({ pds, did }) =>
      (await new Pds(pds).query('com.atproto.repo.listRecords', { repo: did, collection: 'app.bsky.graph.follow' }))
        .records;
    const plain = async (twin) => JSON.stringify(await follows(twin)).replaceAll(twin.did, 'DID');
    assert.equal(await plain(one), await plain(two));
  });

  test('A remembers after SIGKILL, and keeps its port', async () => {
    const commit = () => new Pds(network.A).query('com.atproto.sync.getLatestCommit', { did: account.did });
    const known = await commit();
    const killed = await network.ask('kill/A');
    assert.equal(killed.pid, null);
    await assert.rejects(commit(), (error) => error.cause?.code === 'ECONNREFUSED');
    const { pid } = await network.ask('start/A');
    assert.ok(isAlive(pid));
    assert.deepEqual(await commit(), known);
  });

  test('the directory remembers operations, recovery and the past', async () => {
    const keys = { own: await Secp256k1Keypair.create(), host: await P256Keypair.create() };
    const genesis = await signed(keys.host, { rotationKeys: [keys.own.did(), keys.host.did()], prev: null });
    const did = await plc.didForCreateOp(genesis);
    await submit(did, genesis);
    const theft = await signed(keys.host, { rotationKeys: [keys.host.did()], prev: await cidOf(genesis) });
    await submit(did, theft);
    const recovery = await signed(keys.own, { rotationKeys: [keys.own.did()], prev: await cidOf(genesis) });
    await submit(did, recovery);
    const before = await audit(did);
    assert.deepEqual(
      before.map(({ nullified }) => nullified),
      [false, true, false],
    );

    await network.ask('backdate', { did, hours: 73 });
    await network.ask('stop/plc');
    await network.ask('start/plc');
    const later = await audit(did);
    assert.deepEqual(
      later.map(({ cid }) => cid),
      before.map(({ cid }) => cid),
    );
    assert.deepEqual(
      later.map(({ nullified }) => nullified),
      [false, true, false],
    );
    const moved = later.map(({ createdAt }, n) => Date.parse(before[n].createdAt) - Date.parse(createdAt));
    assert.deepEqual(
      moved,
      [73, 73, 73].map((hours) => hours * 3_600_000),
    );
    assert.deepEqual(await directory(`${did}/log/last`), recovery);
  });

  test('a recovery after 72 hours is refused', async () => {
    const keys = { own: await Secp256k1Keypair.create(), host: await Secp256k1Keypair.create() };
    const genesis = await signed(keys.host, { rotationKeys: [keys.own.did(), keys.host.did()], prev: null });
    const did = await plc.didForCreateOp(genesis);
    await submit(did, genesis);
    const theft = await signed(keys.host, { rotationKeys: [keys.host.did()], prev: await cidOf(genesis) });
    await submit(did, theft);
    await network.ask('backdate', { did, hours: 72.1 });
    const recovery = await signed(keys.own, { rotationKeys: [keys.own.did()], prev: await cidOf(genesis) });
    await refused(did, recovery, /72 hr recovery window/);
  });

  test('the directory is as strict as the public one', async () => {
    const key = await Secp256k1Keypair.create();
    const genesis = await signed(key, { rotationKeys: [key.did()], prev: null });
    const did = await plc.didForCreateOp(genesis);
    await refused(did, { ...genesis, sig: `${genesis.sig}==` }, /Invalid signature/);
    await refused(did, { ...genesis, sig: highS(genesis.sig) }, /Invalid signature/);
    const long = `at://${'x'.repeat(60)}.test`;
    const aliases = Array.from({ length: 70 }, (_, n) => `${long}${n}`);
    await refused(did, await signed(key, { rotationKeys: [key.did()], prev: null, alsoKnownAs: aliases }), /too large/);
    let last = genesis;
    for (let n = 0; n < 10; n++) {
      await submit(did, last);
      last = await signed(key, {
        rotationKeys: [key.did()],
        prev: await cidOf(last),
        alsoKnownAs: [`at://n${n}.test`],
      });
    }
    await refused(did, last, /To many operations within last hour \(max 10\)/);
    await network.ask('backdate', { did, hours: 2 });
    await submit(did, last);

    const document = await directory(did);
    const [method] = document.verificationMethod;
    assert.equal(method.type, 'Multikey');
    assert.equal(method.id, `${did}#atproto`);
    assert.equal(`did:key:${method.publicKeyMultibase}`, key.did());
  });

  test('a mail brings its code', async () => {
    const pds = new Pds(network.A);
    const { accessJwt } = await pds.procedure('com.atproto.server.createSession', login(account));
    await pds.withAccess(accessJwt).procedure('com.atproto.identity.requestPlcOperationSignature');
    const mails = await network.ask(`mail?to=${encodeURIComponent(account.email)}`, undefined, 'GET');
    const [mail] = mails.filter(({ subject }) => subject === 'PLC Update Operation Requested');
    assert.match(mail.token, /^[A-Z2-7]{5}-[A-Z2-7]{5}$/);
    const recommended = await pds.withAccess(accessJwt).query('com.atproto.identity.getRecommendedDidCredentials');
    const body = { token: mail.token, rotationKeys: recommended.rotationKeys };
    const { operation } = await pds.withAccess(accessJwt).procedure('com.atproto.identity.signPlcOperation', body);
    assert.equal(operation.type, 'plc_operation');
  });

  test('handles of both hosts resolve in one place', async () => {
    const [{ did, handle }] = await seed('create', '--pds', network.B, '--handle', 'over-there.test');
    const resolver = new Pds(network.resolver);
    assert.deepEqual(await resolver.query('com.atproto.identity.resolveHandle', { handle }), { did });
    const june = await resolver.query('com.atproto.identity.resolveHandle', { handle: account.handle });
    assert.equal(june.did, account.did);
    const nobody = resolver.query('com.atproto.identity.resolveHandle', { handle: 'nobody.test' });
    await assert.rejects(nobody, { status: 400, error: 'HandleNotFound' });
  });

  test('a repository is imported, and the host signs it', async () => {
    const file = path.join(network.dir, 'repo.car');
    const response = await fetch(`${network.A}/xrpc/com.atproto.sync.getRepo?did=${account.did}`);
    fs.writeFileSync(file, Buffer.from(await response.arrayBuffer()));
    const [{ records, rev }] = await seed(
      'import',
      ...['--pds', network.A, '--did', account.did, '--password', account.password, '--import', file],
    );
    assert.equal(records, 31);
    assert.ok(rev > account.rev);
  });

  test('a blob of 20 MB is taken', async () => {
    assert.equal((await upload(network.A, account, 20_000_000)).size, 20_000_000);
  });

  test('nothing listens beyond loopback', async () => {
    const foreign = Object.values(os.networkInterfaces())
      .flat()
      .filter(({ internal, family }) => !internal && family === 'IPv4');
    const ports = [network.plc, network.A, network.B, network.control].map((url) => Number(new URL(url).port));
    for (const { address } of foreign) for (const port of ports) assert.equal(await connects(address, port), false);
    for (const port of ports) assert.equal(await connects('127.0.0.1', port), true);
  });

  test('a wrong request is answered, not obeyed', async () => {
    await assert.rejects(network.ask('kill/C'), /404/);
    await assert.rejects(network.ask('backdate', { did: 'did:plc:nobody', hours: 1 }), /404/);
    await assert.rejects(network.ask('backdate', { did: account.did, hours: -1 }), /400/);
  });

  const record = (uri) => {
    const [, , repo, collection, rkey] = uri.split('/');
    return new Pds(network.A).query('com.atproto.repo.getRecord', { repo, collection, rkey });
  };
  const directory = async (route) => (await fetch(`${network.plc}/${route}`)).json();
  const audit = (did) => directory(`${did}/log/audit`);
  const post = (did, operation) =>
    fetch(`${network.plc}/${did}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(operation),
    });
  const submit = async (did, operation) => {
    const response = await post(did, operation);
    assert.equal(response.status, 200, await response.text());
  };
  const refused = async (did, operation, message) => {
    const response = await post(did, operation);
    assert.equal(response.status, 400);
    assert.match((await response.json()).message, message);
  };
});

test('limits and invites are as asked for', LIMIT, async () => {
  const network = await Network.start('--tight', '--invites');
  try {
    const [account] = await seed('create', '--pds', network.A, '--handle', 'tight.test');
    assert.equal((await upload(network.A, account, 4 * MIB)).size, 4 * MIB);
    await assert.rejects(upload(network.A, account, 6 * MIB), { status: 413 });
    await assert.rejects(seed('create', '--pds', network.B, '--handle', 'robin.test'), /InvalidInviteCode/);
    const { code } = await network.ask('invite');
    const [robin] = await seed('create', '--pds', network.B, '--handle', 'robin.test', '--invite', code);
    assert.match(robin.did, /^did:plc:/);
    const second = seed('create', '--pds', network.B, '--handle', 'second.test', '--invite', code);
    await assert.rejects(second, /InvalidInviteCode/, 'a code is good for one account');
  } finally {
    await network.stop();
  }
});

test('a kept folder is the same network again', LIMIT, async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'skykeep-selftest-'));
  try {
    const first = await Network.start('--dir', dir);
    const family = await seed('family', '--pds', first.A, '--records', '40', '--large-blob', '0');
    assert.deepEqual(
      family.map(({ handle }) => handle),
      ['alice.test', 'bob.test', 'carol.test'],
    );
    await first.stop();
    const second = await Network.start('--dir', dir);
    try {
      for (const name of ['plc', 'A', 'B', 'control']) assert.equal(second[name], first[name]);
      for (const member of family) {
        const { rev } = await new Pds(second.A).query('com.atproto.sync.getLatestCommit', { did: member.did });
        assert.equal(rev, member.rev);
        assert.equal((await fetch(`${second.plc}/${member.did}`)).status, 200);
      }
    } finally {
      await second.stop();
    }
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
  }
});

describe('nothing stays behind', () => {
  const ways = {
    'after SIGTERM': (network) => network.process.kill('SIGTERM'),
    'after SIGINT': (network) => network.process.kill('SIGINT'),
    'when standard input closes': (network) => network.process.stdin.destroy(),
    'when standard output closes': (network) => network.process.stdout.destroy(),
    'after SIGKILL of the network itself': (network) => network.process.kill('SIGKILL'),
  };
  for (const [name, end] of Object.entries(ways)) {
    test(name, LIMIT, async () => {
      const network = await Network.start();
      end(network);
      await network.gone();
      if (!name.includes('SIGKILL')) assert.ok(!fs.existsSync(network.dir), 'the temporary folder is removed');
      else fs.rmSync(network.dir, { recursive: true, force: true });
    });
  }

  test('while it is still starting', LIMIT, async () => {
    const process_ = spawn(process.execPath, [path.join(HERE, 'up.mjs')], { stdio: ['pipe', 'pipe', 'inherit'] });
    const children = await until('the servers run', () => {
      const pids = childrenOf(process_.pid);
      return pids.length >= 3 && pids;
    });
    process_.kill('SIGTERM');
    await until('all are gone', () => ![process_.pid, ...children].some(isAlive));
  });

  // The parent is a shell that is killed; the network's pipes stay open, so only the parent's death tells.
  test('after SIGKILL of the parent', LIMIT, async () => {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'skykeep-selftest-'));
    const out = path.join(dir, 'out');
    const script = `"${process.execPath}" "${path.join(HERE, 'up.mjs')}" --dir "${dir}/state" > "${out}" & wait`;
    const shell = spawn('sh', ['-c', script], { stdio: ['ignore', 'ignore', 'inherit'] });
    try {
      const line = await until('the network is up', () => /^\{.*\}$/m.exec(read(out))?.[0]);
      const { pids } = JSON.parse(line);
      shell.kill('SIGKILL');
      await until('all are gone', () => !Object.values(pids).some(isAlive));
    } finally {
      fs.rmSync(dir, { recursive: true, force: true });
    }
  });

  // `up.mjs | head -1`: a plain pipe, whose reader leaves after the line.
  test('when the reader of a plain pipe leaves', LIMIT, async () => {
    const script = `"${process.execPath}" "${path.join(HERE, 'up.mjs')}" | head -1`;
    const shell = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(readline.createInterface(shell.stdout), 'line');
    await until('all are gone', () => !Object.values(JSON.parse(line).pids).some(isAlive));
  });
});

describe('parts', () => {
  test('pictures have the signature and the size that they claim', () => {
    const picture = png(new Random('p'), 40, 30);
    assert.equal(picture.subarray(0, 8).toString('latin1'), '\x89PNG\r\n\x1a\n');
    assert.deepEqual([picture.readUInt32BE(16), picture.readUInt32BE(20)], [40, 30]);
    const mosaic = jpeg(new Random('p'), 41, 30);
    assert.equal(mosaic.subarray(0, 4).toString('hex'), 'ffd8ffe0');
    const frame = mosaic.indexOf(Buffer.from([0xff, 0xc0]));
    assert.deepEqual([mosaic.readUInt16BE(frame + 7), mosaic.readUInt16BE(frame + 5)], [48, 32]);
    assert.equal(mosaic.subarray(-2).toString('hex'), 'ffd9');
    for (let at = mosaic.indexOf('ffc4', 'hex'); at >= 0; at = mosaic.indexOf('ffc4', at + 1, 'hex')) {
      const codes = sum(mosaic.subarray(at + 5, at + 21));
      assert.ok(codes > 0 && mosaic.readUInt16BE(at + 2) === 19 + codes, 'a code table has as many values as codes');
    }
    assert.deepEqual(png(new Random('p'), 40, 30), picture);
  });

  test('mails are decoded', () => {
    const source = [
      'Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=',
      'Content-Type: multipart/alternative; boundary="--=_x"',
      '',
      '----=_x',
      'Content-Type: text/html; charset=utf-8',
      '',
      '<b>AAAAA-AAAAA</b>',
      '----=_x',
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'Ihr Schl=C3=BCssel: ABC=',
      'DE-23456',
      '----=_x--',
      '',
    ].join('\r\n');
    assert.deepEqual(readMail(source), { subject: 'Grüße', token: 'ABCDE-23456', text: 'Ihr Schlüssel: ABCDE-23456' });
    assert.deepEqual(readMail('Subject: hi\r\n\r\nno code'), { subject: 'hi', token: null, text: 'no code' });
  });
});

/** A running up.mjs. */
class Network {
  static async start(...args) {
    const child = spawn(process.execPath, [path.join(HERE, 'up.mjs'), ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    const exit = once(child, 'exit').then(([code]) => assert.fail(`up.mjs ended with code ${code}`));
    exit.catch(() => {});
    const line = once(readline.createInterface(child.stdout), 'line').then(([text]) => text);
    return Object.assign(new Network(), JSON.parse(await Promise.race([line, exit])), { process: child });
  }

  /** A control request; throws with the status when it is refused. */
  async ask(route, body = {}, method = 'POST') {
    const address = `${this.control}/${route}`;
    const response = await fetch(address, { method, ...(method === 'POST' ? { body: JSON.stringify(body) } : {}) });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${route}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  }

  async stop() {
    this.process.kill('SIGTERM');
    await this.gone();
  }

  gone() {
    return until('all are gone', () => !Object.values(this.pids).some(isAlive));
  }
}

/** Runs the seeder; its accounts, or an error with what it said. */
async function seed(...args) {
  const child = spawn(process.execPath, [path.join(HERE, 'seed.mjs'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  if (code !== 0) throw new Error(err);
  return out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

async function upload(url, account, size) {
  const pds = new Pds(url);
  const { accessJwt } = await pds.procedure('com.atproto.server.createSession', login(account));
  const bytes = Buffer.alloc(size, 7);
  const { blob } = await pds
    .withAccess(accessJwt)
    .upload('com.atproto.repo.uploadBlob', bytes, 'application/octet-stream');
  return blob;
}

function login({ did, password }) {
  return { identifier: did, password };
}

/** A PLC operation with the key's own did:key for signing; what `fields` says goes first. */
async function signed(key, fields) {
  const services = { atproto_pds: { type: 'AtprotoPersonalDataServer', endpoint: 'http://localhost:1' } };
  const base = {
    type: 'plc_operation',
    verificationMethods: { atproto: key.did() },
    alsoKnownAs: ['at://x.test'],
    services,
  };
  return plc.addSignature({ ...base, ...fields }, key);
}

async function cidOf(operation) {
  return String((await plc.getLastOpWithCid([operation])).cid);
}

/** The malleable twin of a K-256 signature. */
function highS(sig) {
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const bytes = Buffer.from(sig, 'base64url');
  const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`);
  return Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]).toString(
    'base64url',
  );
}

/** Asks until `condition` is true, for two minutes. */
async function until(what, condition) {
  for (const end = Date.now() + 120_000; Date.now() < end;) {
    const found = condition();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return assert.fail(`not so after two minutes: ${what}`);
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    // A zombie answers too; it waits only for its parent to look.
    return !/^State:\s+Z/m.test(read(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}

function childrenOf(pid) {
  return read(`/proc/${pid}/task/${pid}/children`).trim().split(' ').filter(Boolean).map(Number);
}

function connects(host, port) {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port, timeout: 2000 });
    const done = (answer) => (socket.destroy(), resolve(answer));
    socket
      .on('connect', () => done(true))
      .on('error', () => done(false))
      .on('timeout', () => done(false));
  });
}

function read(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

async function text(stream) {
  let all = '';
  for await (const part of stream.setEncoding('utf8')) all += part;
  return all;
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
