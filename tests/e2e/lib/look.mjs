// Opens made-up scenes in a browser, for the tests of the file that imports it.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { NOW } from './made-up.mjs';
import { openPage, servePages, startBrowser } from './pages.mjs';
import { sceneIn } from './scenes.mjs';

let server;
let browser;

before(async () => {
  server = await servePages();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  server?.close();
});

/** Opens a scene, does what comes before looking, and hands it over; the page must not have complained. */
export async function look(name, options, work) {
  const { answers, before, at } = sceneIn(name, options.locale);
  const { page, complaints, close } = await openPage(browser, server.address + at, answers, { now: NOW, ...options });
  try {
    await before(page);
    await work(page);
    assert.deepEqual(complaints, []);
  } finally {
    await close();
  }
}

/** Opens a scene by the real clock, since a fixed one measures nothing, and measures in the page. */
export async function measured(name, measure) {
  const { page, close } = await openPage(browser, server.address, sceneIn(name).answers);
  const found = await page.evaluate(measure);
  await close();
  return found;
}

/** What the focused control says of itself. */
export const focused = (page) =>
  page.evaluate(() => {
    const { tagName, textContent } = document.activeElement;
    return tagName === 'BODY' ? tagName : textContent.trim() || tagName;
  });

/** What was asked of the engine under this name, in order. */
export const asked = (page, command) =>
  page.evaluate(
    (name) => window.__engine.asked.filter(([asked]) => asked === name).map(([, question]) => question),
    command,
  );
