// The window's pages in Chromium: no accessibility violation, keyboard only, narrow, zoomed, in both themes.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { describe, test } from 'node:test';
import { asked, focused, look } from './lib/look.mjs';
import { account, ALICE, scenes } from './lib/made-up.mjs';
import { fromUi } from './lib/pages.mjs';

const AXE = fs.readFileSync(fromUi.resolve('axe-core/axe.min.js'), 'utf8');

async function violations(page) {
  // The page's own policy forbids scripts from elsewhere; evaluate() is the debugger's and goes past it.
  await page.evaluate(AXE);
  const { violations, passes } = await page.evaluate(() => window.axe.run());
  assert.ok(passes.length > 10, 'axe looked at something');
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
}

const looks = {
  light: {},
  'dark, small': { colorScheme: 'dark', viewport: { width: 720, height: 520 } },
  'more contrast, large': { contrast: 'more', viewport: { width: 2000, height: 1200 } },
  'dark, small, at 200 %': { colorScheme: 'dark', viewport: { width: 720, height: 520 }, zoom: 2 },
};

for (const [theme, options] of Object.entries(looks)) {
  describe(`axe finds nothing, and nothing scrolls sideways (${theme})`, () => {
    for (const name of Object.keys(scenes)) {
      test(name, () =>
        look(name, options, async (page) => {
          assert.deepEqual(await violations(page), []);
          const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
          assert.ok(wide <= window, `${wide} px wide in ${window}`);
        }),
      );
    }
  });
}

describe('with the keyboard alone', () => {
  test('every control of an account can be reached, and seen when it is', () =>
    look('kept', {}, async (page) => {
      const stops = [];
      for (let presses = 0; presses < 40; presses++) {
        await page.keyboard.press('Tab');
        const stop = await focused(page);
        if (stop === 'BODY' || stops.includes(stop)) break;
        const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
        assert.notEqual(outline, 'none', stop);
        stops.push(stop);
      }
      for (const name of ['Skip to the page', 'Back up now', 'Open the folder', 'Check every file']) {
        assert.ok(stops.includes(name), `${name} among ${stops.join(' | ')}`);
      }
    }));

  test('buttons tell the engine what they say', () =>
    look('kept', {}, async (page) => {
      await page.getByRole('button', { name: 'Back up now' }).press('Enter');
      await page.getByRole('button', { name: 'Open the folder' }).press('Enter');
      await page.getByText('No file manager could be started').waitFor();
      assert.deepEqual(await asked(page, 'back_up'), [{ did: ALICE }]);
      assert.deepEqual(await asked(page, 'open_place'), [{ id: 'place-1' }]);
    }));

  test('a sudden loss can be answered', () =>
    look('danger', {}, async (page) => {
      await page.getByRole('button', { name: 'Yes, I deleted these' }).press('Enter');
      assert.deepEqual(await asked(page, 'confirm_shrink'), [{ did: ALICE }]);
    }));

  test('an engine that did not open is asked again', () =>
    look('engine-closed', {}, async (page) => {
      await page.evaluate((account) => (window.__engine.answers.accounts = { value: [account] }), account);
      await page.getByRole('button', { name: 'Try again' }).press('Enter');
      await page.getByRole('heading', { name: 'Your posts are kept.' }).waitFor();
    }));
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
