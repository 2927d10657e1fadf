// Scenes of the first minute, the backup from elsewhere, Recovery, Settings and Diagnostics.
import { MINUTE, preferences, problem, providers } from '../../../ui/src/test/made-up.js';
import { account as known, answers, hostDown, HOUR, NOW, person, readiness } from './made-up.mjs';

const extent = {
  records: 12_840,
  media: 312,
  media_more: false,
  bytes: 843_000_000,
  seconds: 340,
};

const spots = [
  {
    path: '/home/alice/Skykeep',
    name: 'Skykeep',
    kind: 'this_computer',
    free: 212_000_000_000,
    known: false,
  },
  {
    path: '/media/alice/Family drive/Skykeep',
    name: 'Family drive',
    kind: 'drive',
    free: 500_000_000,
    known: false,
  },
];

const stored = [
  {
    what: 'settings',
    path: '/home/alice/.config/skykeep/settings.toml',
    bytes: 812,
  },
  {
    what: 'catalogue',
    path: '/home/alice/.local/share/skykeep/catalogue.sqlite',
    bytes: 1_843_200,
  },
  {
    what: 'staging',
    path: '/home/alice/.local/share/skykeep/staging',
    bytes: 42_000_000,
  },
  {
    what: 'logs',
    path: '/home/alice/.local/state/skykeep/logs',
    bytes: 220_000,
  },
  { what: 'keychain', path: 'app.skykeep.desktop', bytes: null },
];

const settingWrong = problem('needs_you', { code: 'preference_address' });

const report = (handle) => `Skykeep 0.1.0 on Linux, 22 November 2026 14:12

Accounts
  ${handle} (did:plc:ewvi7nxzyoun6zhxrhs64oiz): kept, checked 12 minutes ago

Places
  Skykeep /home/alice/Skykeep: ready, 212 GB free

Lately
  14:00  run did=did:plc:ewvi7nxzyoun6zhxrhs64oiz outcome=completed blobs=2 bytes=1203322
  13:00  run did=did:plc:ewvi7nxzyoun6zhxrhs64oiz outcome=unchanged
`;

const account = { ...known, readiness: readiness(['apart', 'recovery_key']) };
const vault = {
  path: '/media/alice/Family drive/Skykeep',
  kind: 'vault',
  known: false,
  accounts: [
    { did: account.did, handle: 'alice.test', host: account.host, snapshots: 204, newest: NOW - 20 * HOUR, records: 12_840, media: 312, known: false }, // prettier-ignore
    { did: 'did:plc:bbbbbbbbbbbbbbbbbbbbbbbb', handle: null, host: null, snapshots: 1, newest: NOW - 900 * HOUR, records: 3, media: 0, known: true }, // prettier-ignore
  ],
  problems: [],
};
const asItWas = {
  ...vault,
  path: 's3.eu-central-1.amazonaws.com/alice-backups',
  known: true,
  as_of: NOW - 18 * HOUR,
};
const backup = {
  path: '/home/alice/Downloads/repo.car',
  kind: 'backup',
  known: false,
  accounts: [{ ...vault.accounts[0], snapshots: 1 }],
  problems: [],
};
const noVault = problem('note', { code: 'no_backup_bucket' });
const imported = [
  {
    id: 's1',
    file: '/home/alice/Downloads/repo.car',
    rev: '3mfgyhsajdc2y',
    signature: 'earlier',
    records: 12_840,
    media: 310,
    missing: ['bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'],
  },
];
const run = (hours, end) => ({
  did: account.did,
  began: NOW - hours * HOUR - MINUTE,
  ended: NOW - hours * HOUR,
  end,
});
const runs = [
  run(0.2, { outcome: 'completed', changed: true }),
  run(1.2, { outcome: 'completed', changed: false }),
  run(2.2, {
    outcome: 'skipped',
    why: problem('note', { code: 'place_missing' }),
  }),
  run(20, { outcome: 'failed', problem: hostDown }),
  run(21, { outcome: 'stopped' }),
];
const nothing = (more = {}) =>
  answers([], {
    places: { value: [] },
    spots: { value: spots },
    set_starts_with_system: { value: true },
    ...more,
  });
const kept = (more = {}) =>
  answers([account], {
    preferences: { value: preferences() },
    stored: { value: stored },
    starts_with_system: { value: true },
    spots: { value: spots },
    runs: { value: runs },
    standing: { value: [] },
    report: { value: report('alice.test') },
    ...more,
  });
const name = async (page, say) => {
  await page.getByLabel(say('protect.label')).fill('@alice.test');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: say('found.title') }).waitFor();
};
const open = async (page, say) => {
  await page.getByRole('button', { name: say('backup.folder') }).click();
  await page.getByRole('button', { name: say('backup.another') }).waitFor();
};
/** Looks into a bucket that holds nothing. */
const emptied = async (page, say) => {
  await page.getByRole('button', { name: say('backup.bucket') }).click();
  await page.getByRole('heading', { name: say('backup.bucket_title') }).waitFor();
  await page.getByLabel(say('bucket.region')).fill('eu-central-1');
  await page.getByLabel(say('bucket.bucket'), { exact: true }).fill('alice-backups');
  await page.getByLabel(say('bucket.access')).fill('AKIDEXAMPLE');
  await page.getByLabel(say('bucket.secret')).fill('not a real secret');
  await page.getByRole('button', { name: say('backup.bucket_look') }).click();
  await page.getByRole('alert').waitFor();
};
const chosen = { 'plugin:dialog|open': { value: vault.path } };

export const roomScenes = {
  start: { answers: nothing({ look_up: { value: person } }) },
  handle: {
    answers: nothing({
      look_up: { value: person },
      extent: { value: extent },
    }),
    at: '#/protect',
  },
  found: {
    answers: nothing({
      look_up: { value: person },
      extent: { value: extent },
    }),
    at: '#/protect',
    before: async (page, say) => {
      await name(page, say);
      await page.getByText(/843/).waitFor();
    },
  },
  'found-away': {
    answers: nothing({
      look_up: { value: { ...person, handle: null, status: 'unknown' } },
      extent: 'never',
    }),
    at: '#/protect',
    before: name,
  },
  where: {
    answers: nothing({
      look_up: { value: person },
      extent: { value: extent },
    }),
    at: '#/protect',
    before: async (page, say) => {
      await name(page, say);
      await page.getByRole('button', { name: say('step.next') }).click();
      await page.getByRole('heading', { name: say('where.title') }).waitFor();
    },
  },
  add: { answers: kept(), at: '#/add' },
  protect: { answers: kept(), at: '#/protect' },
  happened: { answers: kept(), at: '#/happened' },
  'happened-early': { answers: nothing(), at: '#/happened' },
  'happened-host': {
    answers: nothing(),
    at: '#/happened',
    before: async (page, say) => {
      await page.getByRole('button', { name: say('happened.host') }).click();
      await page.getByRole('heading', { name: say('happened.host_title') }).waitFor();
    },
  },
  backup: { answers: nothing(), at: '#/backup' },
  'backup-vault': {
    answers: nothing({ ...chosen, look_into: { value: vault } }),
    at: '#/backup',
    before: open,
  },
  'backup-bucket': {
    answers: nothing({
      providers: { value: providers },
      look_into_bucket: { refused: noVault },
    }),
    at: '#/backup',
    before: emptied,
  },
  'backup-past': {
    answers: nothing({
      ...chosen,
      providers: { value: providers },
      look_into_bucket: { refused: noVault },
      take_over_past: { value: [known] },
    }),
    at: '#/backup',
    before: async (page, say) => {
      await emptied(page, say);
      await page.evaluate((value) => (window.__engine.answers.look_into_bucket = { value }), asItWas);
      await page.getByLabel(say('backup.then_day')).fill('2026-11-20');
      await page.getByLabel(say('backup.then_time')).fill('09:30');
      await page.getByRole('button', { name: say('backup.then_look') }).click();
      await page.getByRole('button', { name: say('backup.bring_back') }).waitFor();
    },
  },
  'backup-imported': {
    answers: kept({
      ...chosen,
      look_into: { value: backup },
      import: { value: imported },
    }),
    at: '#/backup',
    before: async (page, say) => {
      await open(page, say);
      await page.getByRole('button', { name: say('backup.import') }).click();
      await page.getByRole('status').waitFor();
    },
  },
  recovery: { answers: kept(), at: '#/recovery' },
  'recovery-none': { answers: nothing(), at: '#/recovery' },
  settings: {
    answers: kept({
      preferences: {
        value: preferences({ quiet: { from: 1320, to: 420 } }),
      },
    }),
    at: '#/settings',
  },
  'settings-refused': {
    answers: kept({ set_preferences: { refused: settingWrong } }),
    at: '#/settings',
    before: async (page, say) => {
      await page.getByRole('button', { name: say('settings.advanced_means') }).click();
      await page.getByLabel(say('settings.plc')).fill('nonsense');
      await page.keyboard.press('Enter');
      await page.locator('[aria-invalid="true"]').waitFor();
    },
  },
  diagnostics: {
    answers: kept({
      standing: {
        value: [
          {
            about: { kind: 'account', did: account.did },
            since: NOW - 74 * HOUR,
            problem: hostDown,
          },
        ],
      },
    }),
    at: '#/diagnostics',
  },
  report: {
    answers: kept(),
    at: '#/diagnostics',
    before: async (page, say) => {
      await page.getByRole('button', { name: say('diagnostics.report_make') }).click();
      await page.getByRole('textbox', { name: say('diagnostics.report_text') }).waitFor();
    },
  },
};
