#!/usr/bin/env node
// Writes a picture of every page, in both themes and some sizes, into a folder: node shots.mjs FOLDER [NAME...]
import fs from 'node:fs';
import path from 'node:path';
import { NOW, scenes } from './lib/made-up.mjs';
import { openPage, servePages, startBrowser } from './lib/pages.mjs';

const [folder, ...names] = process.argv.slice(2);
if (!folder) throw new Error('say into which folder');
fs.mkdirSync(folder, { recursive: true });

const looks = {
  light: {},
  dark: { colorScheme: 'dark' },
  small: { viewport: { width: 720, height: 520 } },
  zoomed: { viewport: { width: 720, height: 520 }, zoom: 2 },
};

/** Makes the window as high as its page, so that what sticks to the window's edge stays there in the picture. */
async function unroll(page) {
  const { width, height } = page.viewportSize();
  const whole = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width, height: Math.max(height, whole) });
}

const server = await servePages();
const browser = await startBrowser();
for (const [name, { answers, before, at = '' }] of Object.entries(scenes)) {
  if (names.length > 0 && !names.includes(name)) continue;
  for (const [look, options] of Object.entries(looks)) {
    const { page, complaints, close } = await openPage(browser, server.address + at, answers, { ...options, now: NOW });
    await before?.(page);
    if (look !== 'light') await unroll(page);
    await page.screenshot({ path: path.join(folder, `${name}-${look}.png`) });
    for (const complaint of complaints) console.error(`${name}, ${look}: ${complaint}`);
    await close();
  }
}
await browser.close();
server.close();
