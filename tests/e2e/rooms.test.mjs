// The first minute, a backup from elsewhere, Recovery, Settings and Diagnostics, with the keyboard alone.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { asked, focused, look } from './lib/look.mjs';
import { account, ALICE } from './lib/made-up.mjs';

const heading = (page, name) => page.getByRole('heading', { name, level: 1 }).waitFor();
const answer = (page, command, value) =>
  page.evaluate(([name, value]) => (window.__engine.answers[name] = { value }), [command, value]);
/** Presses Tab until a control says this, and fails when none does. */
async function tabTo(page, name) {
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press('Tab');
    if ((await focused(page)).startsWith(name)) return;
  }
  assert.fail(`${name} cannot be reached`);
}

describe('the first minute', () => {
  test('from nothing to a first backup, three presses after the handle', () =>
    look('start', {}, async (page) => {
      await tabTo(page, 'Protect my account');
      await page.keyboard.press('Enter');
      await heading(page, 'What is your handle?');
      await page.getByLabel('Handle').focus();
      await page.keyboard.type('@alice.test');
      await page.keyboard.press('Enter');
      await heading(page, 'Is this the account?');
      assert.deepEqual(await asked(page, 'look_up'), [{ text: '@alice.test' }]);
      await tabTo(page, 'Continue');
      await page.keyboard.press('Enter');
      await heading(page, 'Where shall the copies go?');
      await tabTo(page, 'Start protecting');
      await answer(page, 'accounts', [account]);
      await page.keyboard.press('Enter');
      await heading(page, 'Your posts are kept.');
      assert.deepEqual(await asked(page, 'set_starts_with_system'), [{ starts: true }]);
      const folders = ['/home/alice/Skykeep', '/media/alice/Family drive/Skykeep'];
      assert.deepEqual(await asked(page, 'protect'), [{ did: ALICE, whose: 'mine', folders }]);
    }));

  test('for somebody else, into one folder', () =>
    look('found', {}, async (page) => {
      await page.getByLabel('I keep it for someone who asked me').check();
      await page.getByRole('button', { name: 'Continue' }).press('Enter');
      await page.getByLabel('Family drive').press('Space');
      await page.getByText('On this computer only.').waitFor();
      await page.getByRole('button', { name: 'Start protecting' }).press('Enter');
      assert.deepEqual(await asked(page, 'protect'), [
        { did: ALICE, whose: 'theirs', folders: ['/home/alice/Skykeep'] },
      ]);
    }));

  test('a wrong person is left without a trace', () =>
    look('found', {}, async (page) => {
      await page.getByRole('button', { name: 'Someone else' }).press('Enter');
      assert.equal(await page.evaluate(() => document.activeElement?.value), '@alice.test');
      assert.deepEqual(await asked(page, 'protect'), []);
    }));

  test('nothing typed is nothing asked', () =>
    look('handle', {}, async (page) => {
      await page.getByRole('button', { name: 'Find account' }).press('Enter');
      await page.getByText('Type a handle first.').waitFor();
      assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('aria-invalid')), 'true');
      assert.deepEqual(await asked(page, 'look_up'), []);
    }));

  test('a host that does not answer is no unknown handle, and can be waited for', () =>
    look('found-away', {}, async (page) => {
      await page.getByText('morel.us-east.host.example does not answer at the moment.').waitFor();
      await page.getByRole('button', { name: 'Continue' }).press('Enter');
      await page.getByRole('button', { name: 'Start protecting' }).press('Enter');
      assert.equal((await asked(page, 'protect')).length, 1);
    }));
});

describe('a backup from elsewhere', () => {
  test('a place of Skykeep is taken over, and stays in sight when it is', () =>
    look('backup-vault', {}, async (page) => {
      await answer(page, 'take_over', [account]);
      await answer(page, 'accounts', [account]);
      await page.getByRole('button', { name: 'Use it on this computer' }).press('Enter');
      await heading(page, '1 account is kept by this computer from now on.');
      await page.evaluate(() => window.__engine.tell({ topic: 'accounts' }));
      await page.getByRole('button', { name: /^Make a portable copy ?: alice.test$/ }).waitFor();
      assert.deepEqual(await asked(page, 'take_over'), [{ path: '/media/alice/Family drive/Skykeep' }]);
    }));

  test('emptied online storage is looked at as it was, and brought back to a folder', () =>
    look('backup-past', {}, async (page) => {
      const looks = await asked(page, 'look_into_bucket');
      const bucket = {
        endpoint: 'https://s3.eu-central-1.amazonaws.com',
        bucket: 'alice-backups',
        region: 'eu-central-1',
        prefix: '',
        in_host: true,
      };
      const keys = { access: 'AKIDEXAMPLE', secret: 'not a real secret' };
      const asOf = await page.evaluate(() => new Date('2026-11-20T09:30').getTime());
      assert.deepEqual(looks, [
        { bucket, keys, asOf: null },
        { bucket, keys, asOf },
      ]);
      // A day that there is not is said, and nothing is asked.
      await page.getByLabel('Day').fill('');
      await page.getByRole('button', { name: 'Look at it as it was then' }).press('Enter');
      await page.getByText('This is no day. Type it like this: 2026-11-22').waitFor();
      assert.equal((await asked(page, 'look_into_bucket')).length, 2);
      await answer(page, 'accounts', [account]);
      await page.getByRole('button', { name: 'Copy it to a folder' }).press('Enter');
      await heading(page, '1 account is kept by this computer from now on.');
      const [taken] = await asked(page, 'take_over_past');
      assert.deepEqual([taken.keys, taken.folder], [keys, '/media/alice/Family drive/Skykeep/Skykeep']);
      assert.deepEqual(await asked(page, 'take_over_bucket'), []);
    }));

  test('what an import lacks is named', () =>
    look('backup-imported', {}, async (page) => {
      assert.deepEqual(await asked(page, 'import'), [{ name: ALICE, paths: ['/home/alice/Downloads/repo.car'] }]);
      await page.getByRole('button', { name: '1 picture or video was not in it' }).press('Enter');
      await page.getByText('bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku').waitFor();
    }));
});

describe('settings', () => {
  const saved = async (page) => (await asked(page, 'set_preferences')).map(({ preferences }) => preferences);

  test('a choice is saved at once', () =>
    look('settings', {}, async (page) => {
      await page.getByLabel('Look for what is new').selectOption('Every 15 minutes');
      await page.getByRole('switch', { name: 'Quiet hours' }).press('Space');
      await page.waitForFunction(
        () => window.__engine.asked.filter(([name]) => name === 'set_preferences').length === 2,
      );
      const [first, second] = await saved(page);
      assert.equal(first.every_minutes, 15);
      assert.equal(second.quiet, null);
    }));

  test('a chosen theme is shown over the system’s', () =>
    look('settings', { colorScheme: 'dark' }, async (page) => {
      const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
      assert.equal(await theme(), 'dark');
      const { preferences } = await page.evaluate(() => ({
        preferences: window.__engine.answers.preferences.value,
      }));
      await answer(page, 'preferences', {
        ...preferences,
        appearance: 'light',
      });
      await page.getByLabel('Appearance').selectOption('Light');
      await page.waitForFunction(() => document.documentElement.dataset.theme === 'light');
    }));

  test('what is refused says so beside it, and stays to be mended', () =>
    look('settings-refused', {}, async (page) => {
      const field = page.getByLabel('Directory of identities');
      assert.equal(await field.inputValue(), 'nonsense');
      assert.equal(await field.getAttribute('aria-invalid'), 'true');
    }));
});

describe('diagnostics', () => {
  test('a problem can be acted on where it is read', () =>
    look('diagnostics', {}, async (page) => {
      await page.getByRole('button', { name: 'Back up now' }).press('Enter');
      assert.deepEqual(await asked(page, 'back_up'), [{ did: ALICE }]);
    }));

  test('a report is read before it is saved, and saved as it was read', () =>
    look('report', {}, async (page) => {
      const text = await page.getByRole('textbox', { name: 'The report' }).inputValue();
      assert.match(text, /^Skykeep 0\.1\.0/);
      await answer(page, 'plugin:dialog|save', '/home/alice/report.txt');
      await page.getByRole('button', { name: 'Save as a file' }).press('Enter');
      await page.getByText('Saved.').waitFor();
      assert.deepEqual(await asked(page, 'save_report'), [{ path: '/home/alice/report.txt', text }]);
    }));
});
