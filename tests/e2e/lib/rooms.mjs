// Scenes of the first minute, the backup from elsewhere, Recovery, Settings and Diagnostics.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

export const preferences = {
  every_minutes: 60,
  quiet: null,
  tell_after_days: 3,
  tell_places: true,
  tell_repairs: true,
  battery_below: 20,
  metered: 'wait',
  language: null,
  appearance: 'system',
  plc_url: null,
  handle_resolver: null,
};

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

const settingWrong = {
  code: 'setting_wrong',
  severity: 'needs_you',
  happened: 'The setting plc_url is no https address.',
  means: 'Nothing was changed.',
  todo: 'Type an address that begins with https://.',
  actions: [],
  detail: null,
};

const report = (handle) => `Skykeep 0.1.0 on Linux, 22 November 2026 14:12

Accounts
  ${handle} (did:plc:ewvi7nxzyoun6zhxrhs64oiz): kept, checked 12 minutes ago

Places
  Skykeep /home/alice/Skykeep: ready, 212 GB free

Lately
  14:00  run did=did:plc:ewvi7nxzyoun6zhxrhs64oiz outcome=completed blobs=2 bytes=1203322
  13:00  run did=did:plc:ewvi7nxzyoun6zhxrhs64oiz outcome=unchanged
`;

/** The scenes, over what the others are made of. */
export function roomScenes({ NOW, account: known, person, hostDown, answers }) {
  const lines = ['fresh', 'apart', 'media', 'checked', 'identity', 'recovery_key'].map((what) => ({
    what,
    ready: what !== 'apart' && what !== 'recovery_key',
    since: NOW - 12 * MINUTE,
    count: what === 'media' ? 312 : 0,
    total: what === 'media' ? 312 : 0,
  }));
  const account = { ...known, readiness: { lines } };
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
  const backup = {
    path: '/home/alice/Downloads/repo.car',
    kind: 'backup',
    known: false,
    accounts: [{ ...vault.accounts[0], snapshots: 1 }],
    problems: [],
  };
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
      why: {
        ...hostDown,
        severity: 'note',
        happened: 'Family drive is not connected.',
      },
    }),
    run(20, { outcome: 'failed', problem: hostDown }),
    run(21, { outcome: 'stopped' }),
  ];
  const nothing = (more = {}) => answers([], { places: { value: [] }, spots: { value: spots }, set_starts_with_system: { value: true }, ...more });
  const kept = (more = {}) =>
    answers([account], {
      preferences: { value: preferences },
      stored: { value: stored },
      starts_with_system: { value: true },
      spots: { value: spots },
      runs: { value: runs },
      standing: { value: [] },
      report: { value: report('alice.test') },
      ...more,
    });
  const name = async (page, handle = '@alice.test') => {
    await page.getByLabel('Handle').fill(handle);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Is this the account?' }).waitFor();
  };
  const open = async (page) => {
    await page.getByRole('button', { name: 'Choose a folder' }).click();
    await page.getByRole('heading', { name: 'It holds' }).waitFor();
  };
  const chosen = { 'plugin:dialog|open': { value: vault.path } };

  return {
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
      before: async (page) => {
        await name(page);
        await page.getByText('About this much').waitFor();
      },
    },
    'found-away': {
      answers: nothing({
        look_up: { value: { ...person, handle: null, status: 'unknown' } },
        extent: 'never',
      }),
      at: '#/protect',
      before: (page) => name(page),
    },
    where: {
      answers: nothing({
        look_up: { value: person },
        extent: { value: extent },
      }),
      at: '#/protect',
      before: async (page) => {
        await name(page);
        await page.getByRole('button', { name: 'Continue' }).click();
        await page.getByRole('heading', { name: 'Where shall the copies go?' }).waitFor();
      },
    },
    add: { answers: kept(), at: '#/add' },
    protect: { answers: kept(), at: '#/protect' },
    happened: { answers: kept(), at: '#/happened' },
    'happened-early': { answers: nothing(), at: '#/happened' },
    'happened-host': {
      answers: nothing(),
      at: '#/happened',
      before: async (page) => {
        await page.getByRole('button', { name: 'My host is gone' }).click();
        await page.getByRole('heading', { name: 'Your host is gone' }).waitFor();
      },
    },
    backup: { answers: nothing(), at: '#/backup' },
    'backup-vault': {
      answers: nothing({ ...chosen, look_into: { value: vault } }),
      at: '#/backup',
      before: open,
    },
    'backup-imported': {
      answers: kept({
        ...chosen,
        look_into: { value: backup },
        import: { value: imported },
      }),
      at: '#/backup',
      before: async (page) => {
        await open(page);
        await page.getByRole('button', { name: 'Import it' }).click();
        await page.getByRole('status').waitFor();
      },
    },
    recovery: { answers: kept(), at: '#/recovery' },
    'recovery-none': { answers: nothing(), at: '#/recovery' },
    settings: {
      answers: kept({
        preferences: {
          value: { ...preferences, quiet: { from: 1320, to: 420 } },
        },
      }),
      at: '#/settings',
    },
    'settings-refused': {
      answers: kept({ set_preferences: { refused: settingWrong } }),
      at: '#/settings',
      before: async (page) => {
        await page.getByRole('button', { name: 'For those who run their own servers' }).click();
        await page.getByLabel('Directory of identities').fill('nonsense');
        await page.keyboard.press('Enter');
        await page.getByText('is no https address').waitFor();
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
      before: async (page) => {
        await page.getByRole('button', { name: 'Make a report' }).click();
        await page.getByRole('textbox', { name: 'The report' }).waitFor();
      },
    },
  };
}
