#!/usr/bin/env node
// Fills accounts through plain XRPC, as any client would. Prints one line of JSON for each account.
//
//   node seed.mjs account --pds URL [--records N] [--seed S] [--handle H] [--large-blob BYTES] [--pictures N]
//   node seed.mjs family  --pds URL [--records N] [--seed S] [--large-blob BYTES]
//   node seed.mjs create  --pds URL --handle H
//   node seed.mjs import  --pds URL --did D --password P --import FILE
//
// account   posts with replies, facets and pictures, likes, follows, reposts, a profile with avatar and banner, a video
//           of 8 MiB, records of an unknown lexicon, edits and deletes: 10 to 10,000 records (default 100) that stay
// family    alice.test, bob.test and carol.test, who talk with each other (40 records each or more; default 60)
// create    an empty account, for a bigger repository: a generated CAR has to name the account's DID
// import    gives that CAR to the host, and makes one write, so that the host signs a commit of its own
//
// For all: --password P, --email E, --invite CODE. What is not given is made from the seed (default "skykeep"): the
// same seed and options write the same records. DIDs, and what contains them, differ from run to run.
import { parseArgs } from 'node:util';
import { seedAccount } from './seed/account.mjs';
import { FAMILY_LEAST, seedFamily } from './seed/family.mjs';
import { Pds } from './seed/xrpc.mjs';

const LEAST = 10;
const MOST = 10_000;
const LARGE_BLOB = 8 * 1024 * 1024;

/** A mistake in the call, not in the world: exit code 2. */
class Usage extends Error {}

const commands = { account, family, create, import: importRepo };

try {
  const { command, options } = readArguments();
  for (const summary of await commands[command](options)) console.log(JSON.stringify(summary));
} catch (error) {
  console.error(`seed: ${error.message}${error.cause ? ` (${error.cause.message})` : ''}`);
  process.exit(error instanceof Usage ? 2 : 1);
}

async function account(options) {
  const records = numberOf(options, 'records', 100, LEAST, MOST);
  const largeBlob = numberOf(options, 'large-blob', LARGE_BLOB, 0, 100 * 1024 * 1024);
  const pictures = options.pictures === undefined ? undefined : numberOf(options, 'pictures', 0, 0, 1000);
  const { seed } = options;
  return [await seedAccount(options.pds, credentials(options), { records, seed, largeBlob, pictures })];
}

async function family(options) {
  const records = numberOf(options, 'records', 60, FAMILY_LEAST, MOST);
  const largeBlob = numberOf(options, 'large-blob', LARGE_BLOB, 0, 100 * 1024 * 1024);
  return seedFamily(options.pds, { seed: options.seed, records, largeBlob, invite: options.invite });
}

async function create(options) {
  const { handle, email, password, invite } = credentials(options);
  const body = { handle, email, password, ...(invite ? { inviteCode: invite } : {}) };
  const { did } = await new Pds(options.pds).procedure('com.atproto.server.createAccount', body);
  return [{ did, handle, email, password, pds: options.pds }];
}

async function importRepo(options) {
  const { did, password, import: file } = options;
  if (!did || !password || !file) throw new Usage('import needs --did, --password and --import');
  const pds = new Pds(options.pds);
  const { handle, email, accessJwt } = await pds.procedure('com.atproto.server.createSession', {
    identifier: did,
    password,
  });
  const session = pds.withAccess(accessJwt);
  await session.uploadFile('com.atproto.repo.importRepo', file, 'application/vnd.ipld.car');
  const createdAt = new Date().toISOString();
  const record = { $type: 'app.bsky.feed.post', text: 'Everything is here again.', createdAt };
  const { commit } = await session.procedure('com.atproto.repo.createRecord', {
    repo: did,
    collection: 'app.bsky.feed.post',
    record,
  });
  const { indexedRecords } = await session.query('com.atproto.server.checkAccountStatus');
  return [{ did, handle, email, password, pds: options.pds, rev: commit.rev, records: indexedRecords }];
}

/** The handle comes from the seed and can be taken once on a network; name one to have several accounts of a seed. */
function credentials({ handle, seed, password, email, invite }) {
  const name =
    handle ??
    `${seed
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 18)}.test`;
  const label = name.split('.')[0];
  return { handle: name, email: email ?? `${label}@skykeep.test`, password: password ?? `${label}-keeps-it`, invite };
}

function numberOf(options, name, otherwise, least, most) {
  const value = options[name] === undefined ? otherwise : Number(options[name]);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  const hint = name === 'records' && value > most ? '; above that: `create`, generate a CAR, `import`' : '';
  throw new Usage(`--${name} ${options[name]} is not between ${least} and ${most}${hint}`);
}

function readArguments() {
  const text = { type: 'string' };
  const names = ['pds', 'records', 'handle', 'password', 'email', 'invite', 'large-blob', 'pictures', 'did', 'import'];
  const options = { ...Object.fromEntries(names.map((name) => [name, text])), seed: { ...text, default: 'skykeep' } };
  let parsed;
  try {
    parsed = parseArgs({ options, allowPositionals: true });
  } catch (error) {
    throw new Usage(error.message);
  }
  const [command] = parsed.positionals;
  if (!Object.hasOwn(commands, command ?? '') || parsed.positionals.length > 1) {
    throw new Usage(`say one of ${Object.keys(commands).join(', ')}`);
  }
  if (!parsed.values.pds) throw new Usage('--pds URL is missing');
  return { command, options: parsed.values };
}
