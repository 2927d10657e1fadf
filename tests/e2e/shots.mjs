#!/usr/bin/env node
// Writes a picture of every page into a folder, in both themes, in some sizes, in every language, and from right to
// left: node shots.mjs FOLDER [NAME...]. A name is a scene's ("home"), a look's ("de"), or one of a scene ("home-de").
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { NOW } from './lib/made-up.mjs';
import { openPage, servePages, startBrowser } from './lib/pages.mjs';
import { sceneIn, scenes } from './lib/scenes.mjs';
import { LOCALES } from './lib/words.mjs';

const [folder, ...names] = process.argv.slice(2);
if (!folder) throw new Error('say into which folder');
fs.mkdirSync(folder, { recursive: true });

const SMALL = { width: 720, height: 520 };
const looks = {
  light: {},
  dark: { colorScheme: 'dark' },
  small: { viewport: SMALL },
  zoomed: { viewport: SMALL, zoom: 2 },
  contrast: { colorScheme: 'dark', contrast: 'more' },
  rtl: { dir: 'rtl' },
  ...Object.fromEntries(
    LOCALES.filter((locale) => locale !== 'en').flatMap((locale) => [
      [locale, { locale }],
      [`${locale}-zoomed`, { locale, viewport: SMALL, zoom: 2 }],
    ]),
  ),
};

/** Makes the window as high as its page, so that what sticks to the window's edge stays there in the picture. */
async function unroll(page) {
  const { width, height } = page.viewportSize();
  const whole = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width, height: Math.max(height, whole) });
}

/** Has the system's face drawn as GNOME does: Adwaita Sans, or Inter, which that is made from, where they are there. */
function fonts(file) {
  const faces = ['Adwaita Sans', 'Inter'].map((name) => `<string>${name}</string>`).join('');
  const rule =
    '<match target="pattern"><test name="family"><string>sans-serif</string></test>' +
    `<edit name="family" mode="prepend_first" binding="strong">${faces}</edit></match>`;
  fs.writeFileSync(file, `<fontconfig><include>/etc/fonts/fonts.conf</include>${rule}</fontconfig>`);
  return { FONTCONFIG_FILE: file };
}

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'skykeep-fonts-'));
const server = await servePages();
const browser = await startBrowser(fonts(path.join(scratch, 'fonts.conf')));
for (const name of Object.keys(scenes)) {
  for (const [look, { dir, ...options }] of Object.entries(looks)) {
    if (names.length > 0 && ![name, look, `${name}-${look}`].some((wish) => names.includes(wish))) continue;
    const { answers, before, at } = sceneIn(name, options.locale);
    const { page, complaints, close } = await openPage(browser, server.address + at, answers, { ...options, now: NOW });
    await before(page);
    if (dir) await page.evaluate((dir) => (document.documentElement.dir = dir), dir);
    if (look !== 'light') await unroll(page);
    await page.screenshot({ path: path.join(folder, `${name}-${look}.png`) });
    for (const complaint of complaints) console.error(`${name}, ${look}: ${complaint}`);
    await close();
  }
}
await browser.close();
server.close();
fs.rmSync(scratch, { recursive: true });
