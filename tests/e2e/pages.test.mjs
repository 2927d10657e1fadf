// The window's pages in Chromium: no accessibility violation, keyboard only, narrow, zoomed, in both themes.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { describe, test } from 'node:test';
import zlib from 'node:zlib';
import { asked, focused, look, measured } from './lib/look.mjs';
import { account, ALICE, NOW } from './lib/made-up.mjs';
import { fromUi } from './lib/pages.mjs';
import { scenes } from './lib/scenes.mjs';
import { LOCALES } from './lib/words.mjs';

const AXE = fs.readFileSync(fromUi.resolve('axe-core/axe.min.js'), 'utf8');

/** What axe finds in the page as it is now. */
async function violations(page) {
  const { violations, passes } = await page.evaluate(() => window.axe.run());
  assert.ok(passes.length > 10, 'axe looked at something');
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
}

const SMALL = { width: 720, height: 520 };
const HALF = { width: SMALL.width / 2, height: SMALL.height / 2 };

const looks = {
  light: { colorScheme: 'light', contrast: 'no-preference', size: { width: 980, height: 700 } },
  'dark, small': { colorScheme: 'dark', contrast: 'no-preference', size: SMALL },
  'more contrast, large': { colorScheme: 'light', contrast: 'more', size: { width: 2000, height: 1200 } },
  'dark, more contrast': { colorScheme: 'dark', contrast: 'more', size: SMALL },
  // Zooming a window to 200 % leaves the page half the pixels each way.
  'dark, small, at 200 %': { colorScheme: 'dark', contrast: 'no-preference', size: HALF },
  'from right to left': { colorScheme: 'light', contrast: 'no-preference', size: HALF, dir: 'rtl' },
};

describe('axe finds nothing, and nothing scrolls sideways', () => {
  for (const name of Object.keys(scenes)) {
    test(name, () =>
      look(name, { reducedMotion: 'reduce' }, async (page) => {
        // The page's own policy forbids scripts from elsewhere; evaluate() is the debugger's and goes past it.
        await page.evaluate(AXE);
        for (const [theme, { size, dir = 'ltr', ...media }] of Object.entries(looks)) {
          await page.emulateMedia({ ...media, reducedMotion: 'reduce' });
          await page.setViewportSize(size);
          await page.evaluate((dir) => (document.documentElement.dir = dir), dir);
          await page.locator(`html[data-theme='${media.colorScheme}']`).waitFor({ state: 'attached' });
          assert.deepEqual(await violations(page), [], theme);
          const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
          assert.ok(wide <= window, `${theme}: ${wide} px wide in ${window}`);
        }
      }),
    );
  }
});

describe('every language has room, at 200 % too', () => {
  const wordy = ['start', 'found', 'where', 'happened-host', 'backup-imported', 'home-needs-you', 'kept-details', 'danger',
    'stop-protecting', 'places-troubled', 'places-checked', 'places-bucket', 'places-keys', 'family-page-troubled', 'bucket-wanting', 'bucket-good', 'recovery', 'settings', 'diagnostics']; // prettier-ignore
  for (const locale of LOCALES) {
    for (const name of wordy) {
      test(`${name}, ${locale}`, () =>
        look(name, { ...(locale !== 'en' && { locale }), viewport: HALF, reducedMotion: 'reduce' }, async (page) => {
          assert.equal(await page.evaluate(() => document.documentElement.lang), locale);
          await page.evaluate(AXE);
          assert.deepEqual(await violations(page), []);
          const [wide, cut] = await page.evaluate(() => [
            document.documentElement.scrollWidth,
            [...document.querySelectorAll('h1, h2, h3, p, button, a, label, dt, dd')]
              .filter((element) => !element.closest('nav') && element.scrollWidth > element.clientWidth + 1)
              .filter((element) => getComputedStyle(element).display !== 'inline' && !element.matches('.aside'))
              .map((element) => element.textContent.trim()),
          ]);
          assert.ok(wide <= HALF.width, `${wide} px wide`);
          assert.deepEqual(cut, []);
        }));
    }
  }
});

describe('with the keyboard alone', () => {
  const told = { accounts: { value: [account] } };

  test('every control of a page can be reached, and seen when it is', () =>
    look('kept', {}, async (page) => {
      const stops = [];
      for (let presses = 0; presses < 60; presses++) {
        await page.keyboard.press('Tab');
        const stop = await focused(page);
        if (stop === 'BODY') break;
        const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
        assert.notEqual(outline, 'none', stop);
        stops.push(stop);
      }
      const first = ['Skip to the page', 'Home', 'Accounts', 'Places', 'Recovery', 'Settings'];
      assert.deepEqual(stops.slice(0, first.length), first);
      for (const name of ['Back up now', 'Pause', 'Make a portable copy', 'More']) {
        assert.ok(stops.includes(name), `${name} among ${stops.join(' | ')}`);
      }
    }));

  test('home: back up, and go where the drives are', () =>
    look('home', {}, async (page) => {
      await page.getByRole('button', { name: 'Back up now' }).press('Enter');
      assert.deepEqual(await asked(page, 'back_up'), [{ did: ALICE }]);
      await page.getByRole('button', { name: 'Add a place' }).press('Enter');
      await page.getByRole('heading', { name: /^Your backups go to/ }).waitFor();
      assert.equal(await focused(page), 'Your backups go to 1 place.');
    }));

  test('home: with several accounts "Back up now" means each that has no run', () =>
    look('family', {}, async (page) => {
      await page.getByRole('button', { name: 'Back up now' }).first().press('Enter');
      assert.equal((await asked(page, 'back_up')).length, 3);
    }));

  test('a list of one account is that account, and another one can still be added in a narrow window', () =>
    look('accounts-one', { viewport: SMALL }, async (page) => {
      await page.getByRole('heading', { name: 'Your posts are kept.' }).waitFor();
      assert.equal(await page.getByRole('link', { name: 'Accounts' }).getAttribute('aria-current'), 'page');
      await page.getByRole('link', { name: 'Add' }).press('Enter');
      await page.getByRole('heading', { name: 'What would you like to do?' }).waitFor();
    }));

  test('what is kept for somebody else is said to be theirs', () =>
    look('paused', {}, async (page) => {
      await page.getByRole('heading', { name: 'The posts of alice.test are kept.', level: 1 }).waitFor();
    }));

  test('while places are checked, what is read and what is fetched from a host is seen there', () =>
    look('places-checking', {}, async (page) => {
      await page.getByText('alice.test: Fetching pictures and videos').waitFor();
      const bar = (name) => page.getByRole('progressbar', { name }).getAttribute('aria-valuetext');
      assert.equal(
        await bar('Reading every file again'),
        '602 of 1,204 files · 412 MB of 843 MB · about 2 minutes left',
      );
      assert.match((await bar('Fetching pictures and videos')) ?? '', /^3 of 7/);
    }));

  test('a check that was asked for on the home page is followed there', () =>
    look('home-checking', {}, async (page) => {
      await page.getByText('Family drive: Writing what is damaged anew').waitFor();
      await page.evaluate((event) => window.__engine.tell(event), { topic: 'check', place: 'place-2', progress: null });
      await page.getByText('Family drive: Writing what is damaged anew').waitFor({ state: 'detached' });
      await page.getByText('Skykeep: Reading every file again').waitFor();
    }));

  test('a name that only the backup says is said to be from there', () =>
    look('from-backup', {}, async (page) => {
      await page.getByText('Name, handle and picture are from the backup. The host has not answered yet.').waitFor();
    }));

  test('a failure among good runs is seen and said', () =>
    look('home', {}, async (page) => {
      await page.getByText('Failed at times', { exact: true }).waitFor();
      const days = page.getByRole('slider', { name: 'The last 8 weeks' });
      assert.equal(await days.locator('svg:has(rect):has(path.failed)').count(), 1);
      await days.focus();
      for (let day = 55; day > 41; day--) await page.keyboard.press('ArrowLeft');
      assert.match((await days.getAttribute('aria-valuetext')) ?? '', /20 found nothing new, 1 failed$/);
    }));

  test('the calendar is gone through day by day', () =>
    look('home', {}, async (page) => {
      const days = page.getByRole('slider', { name: 'The last 8 weeks' });
      assert.match((await days.getAttribute('aria-valuetext')) ?? '', /^Today: 1 backup kept something new, 20 found/);
      await days.focus();
      await page.keyboard.press('ArrowLeft');
      assert.match((await days.getAttribute('aria-valuetext')) ?? '', /^Yesterday: /);
      await page.keyboard.press('Home');
      assert.match((await days.getAttribute('aria-valuetext')) ?? '', /28 September: no backup$/);
      await page.getByText(/28 September: no backup$/).waitFor();
    }));

  test('a pause is chosen from its menu, and ended', () =>
    look('pause-menu', {}, async (page) => {
      await page.keyboard.press('Enter');
      assert.deepEqual(await asked(page, 'pause'), [{ did: ALICE, until: NOW + 3_600_000 }]);
      await page.evaluate((account) => {
        window.__engine.answers.accounts = { value: [{ ...account, waiting: { reason: 'paused', until: null } }] };
        window.__engine.tell({ topic: 'accounts' });
      }, account);
      await page.getByRole('button', { name: 'Go on', exact: true }).press('Enter');
      assert.deepEqual(await asked(page, 'resume'), [{ did: ALICE }]);
    }));

  test('a portable copy says where it went', () =>
    look('portable-copy', {}, async (page) => {
      const [{ did, snapshot, folder }] = await asked(page, 'export');
      assert.deepEqual([did, snapshot], [ALICE, null]);
      assert.equal(folder, '/media/alice/stick/Skykeep alice.test 2026-11-22 1412');
      await page.getByText('1 picture or video is not in it').waitFor();
    }));

  test('to stop protecting is asked first, and "no" leaves everything', () =>
    look('stop-protecting', {}, async (page) => {
      await page.getByText('The backups stay where they are.').waitFor();
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'hidden' });
      assert.deepEqual(await asked(page, 'stop_protecting'), []);
    }));

  test('to stop protecting does so, and leads home', () =>
    look('stop-protecting', {}, async (page) => {
      await page.getByRole('button', { name: 'Stop protecting alice.test' }).press('Enter');
      await page.getByRole('dialog').waitFor({ state: 'hidden' });
      assert.deepEqual(await asked(page, 'stop_protecting'), [{ did: ALICE }]);
      assert.equal(await page.evaluate(() => location.hash), '#/');
    }));

  test('a sudden loss can be answered with yes', () =>
    look('danger', {}, async (page) => {
      await page.getByRole('button', { name: 'Yes, I deleted these' }).press('Enter');
      assert.deepEqual(await asked(page, 'confirm_shrink'), [{ did: ALICE }]);
    }));

  test('a sudden loss answered with no leads to what was before, and confirms nothing', () =>
    look('danger-no', {}, async (page) => {
      assert.deepEqual(await asked(page, 'confirm_shrink'), []);
      assert.deepEqual((await asked(page, 'changes'))[0], { did: ALICE, snapshot: 's3' });
      await page.getByRole('link', { name: /^Look at the snapshot from before/ }).press('Enter');
      await page.getByRole('heading', { name: /^Snapshot of/ }).waitFor();
    }));

  test('what a snapshot changed is asked for when it is opened, and once', () =>
    look('kept', {}, async (page) => {
      assert.deepEqual(await asked(page, 'changes'), []);
      const line = page.getByRole('button', { name: /13:00/ });
      for (let times = 0; times < 3; times++) await line.press('Enter');
      await page.getByText('4 posts added').waitFor();
      assert.deepEqual(await asked(page, 'changes'), [{ did: ALICE, snapshot: 's5' }]);
    }));

  test('places: check, open, add a drive, and stop using one', () =>
    look('places', {}, async (page) => {
      await page.getByRole('button', { name: 'Check every file' }).first().press('Enter');
      assert.deepEqual(await asked(page, 'check'), [{ place: 'place-1' }]);
      await page.getByRole('button', { name: 'Open the folder' }).first().press('Enter');
      await page.getByText('No file manager could be started').waitFor();
      await page.getByRole('button', { name: 'Keep a copy there' }).press('Enter');
      assert.deepEqual(await asked(page, 'add_folder'), [{ path: '/media/alice/GARAGE/Skykeep' }]);
      await page.getByRole('button', { name: 'Stop using this place' }).last().press('Enter');
      await page.getByRole('button', { name: 'Stop using it' }).press('Enter');
      await page.getByRole('dialog').waitFor({ state: 'hidden' });
      assert.deepEqual(await asked(page, 'remove_place'), [{ id: 'place-2' }]);
    }));

  test('online storage: filled in, tested, and used', () =>
    look('bucket-good', {}, async (page) => {
      const bucket = {
        endpoint: 'https://s3.eu-central-1.amazonaws.com',
        bucket: 'alice-backups',
        region: 'eu-central-1',
        prefix: '',
        in_host: true,
      };
      const keys = { access: 'AKIDEXAMPLE', secret: 'not a real secret' };
      assert.deepEqual(await asked(page, 'try_bucket'), [{ bucket, keys }]);
      assert.match(await focused(page), /^Use this place/);
      await page.getByText('Turn on object lock at your provider').waitFor();
      // What was found out was found out of something else.
      await page.getByLabel('Folder in the bucket').fill('skykeep');
      await page.getByRole('button', { name: 'Test this place' }).press('Enter');
      await page.getByRole('button', { name: 'Use this place' }).press('Enter');
      await page.getByRole('heading', { name: /Your backups go to/ }).waitFor();
      const added = [{ bucket: { ...bucket, prefix: 'skykeep' }, keys, name: null }];
      assert.deepEqual(await asked(page, 'add_bucket'), added);
    }));

  test('online storage: other keys are typed, refused, and taken', () =>
    look('places-keys', {}, async (page) => {
      const secret = page.getByRole('textbox', { name: 'Secret key' });
      assert.equal(await secret.getAttribute('type'), 'password');
      await secret.fill('');
      await secret.press('Enter');
      assert.equal(await page.evaluate(() => document.activeElement?.labels?.[0]?.textContent), 'Secret key');
      await page.evaluate(() => Object.assign(window.__engine.answers, { change_keys: { value: null } }));
      await secret.fill('another secret');
      await secret.press('Enter');
      await page.getByRole('dialog').waitFor({ state: 'hidden' });
      await page.getByText('Backups can go there.').waitFor();
      const keys = (typed) => ({ id: 'place-4', keys: { access: 'AKIDEXAMPLE', secret: typed } });
      assert.deepEqual(await asked(page, 'change_keys'), [keys('not a real secret'), keys('another secret')]);
      await page.getByRole('button', { name: 'Change keys…' }).press('Enter');
      assert.equal(await secret.inputValue(), '');
    }));

  test('online storage: the first thing that is missing has the focus', () =>
    look('bucket-wanting', {}, async (page) => {
      assert.deepEqual(await asked(page, 'try_bucket'), []);
      assert.equal(await page.evaluate(() => document.activeElement?.labels?.[0]?.textContent), 'Region');
      assert.equal(await page.getByLabel('Secret key').getAttribute('type'), 'password');
    }));

  test('an engine that did not open is asked again', () =>
    look('engine-closed', {}, async (page) => {
      await page.evaluate((told) => Object.assign(window.__engine.answers, told), told);
      await page.getByRole('button', { name: 'Try again' }).press('Enter');
      await page.getByRole('heading', { name: 'Your posts are kept.' }).waitFor();
    }));
});

describe('how much there is does not matter', () => {
  test('of forty accounts the six most urgent are shown, the others behind a link', async () => {
    assert.equal(await measured('many', () => document.querySelectorAll('main li > a').length), 6);
  });

  test('the JavaScript that a page loads stays under 250 kB gzipped', async () => {
    const names = await measured('home', () => performance.getEntriesByType('resource').map(({ name }) => name));
    const scripts = names.filter((name) => name.endsWith('.js'));
    const bodies = await Promise.all(scripts.map(async (name) => (await fetch(name)).arrayBuffer()));
    const total = bodies.reduce((sum, body) => sum + zlib.gzipSync(Buffer.from(body)).length, 0);
    console.log(`${scripts.length} scripts, ${total} bytes gzipped`);
    assert.ok(total > 20_000 && total < 250_000, `${total} bytes`);
  });
});

describe('what the engine tells arrives', () => {
  test('progress moves the bar and its words', () =>
    look('first-backup', {}, async (page) => {
      const bar = page.getByRole('progressbar');
      assert.match((await bar.getAttribute('aria-valuetext')) ?? '', /^120 of 312 pictures and videos/);
      await page.evaluate((progress) => {
        const now = { ...progress, items: 311, seconds_left: null };
        window.__engine.tell({ topic: 'run', did: progress.did, progress: now });
      }, scenes['first-backup'].answers.accounts.value[0].run);
      await page.getByText('311 of 312 pictures and videos').waitFor();
      assert.doesNotMatch((await bar.getAttribute('aria-valuetext')) ?? '', /left/);
    }));

  test('the end of the first backup turns the page into its answer', () =>
    look('first-backup', {}, async (page) => {
      await page.evaluate((account) => {
        window.__engine.answers.accounts = { value: [account] };
        window.__engine.tell({ topic: 'run', did: account.did, progress: null });
      }, account);
      await page.getByRole('heading', { name: 'Your posts are kept.' }).waitFor();
      await page.getByText('Last checked 12 minutes ago, on this computer only.').waitFor();
      assert.equal(await page.getByRole('progressbar').count(), 0);
    }));

  test('with reduced motion nothing moves by itself', () =>
    look('first-backup', { reducedMotion: 'reduce' }, async (page) => {
      const moving = await page.evaluate(() => document.getAnimations().length);
      assert.equal(moving, 0);
    }));
});
