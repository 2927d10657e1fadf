// The window's pages in headless Chromium: as built, under the window's own content policy, over a made-up engine.
//
// The real window is tested in window.test.mjs. What only a browser can tell is tested here: accessibility trees, other
// sizes, other preferences. The engine is a table of answers; the pages, the bindings and Tauri's API are the real ones.
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const DIST = path.join(ROOT, 'ui/dist');
/** The window's packages; the tests bring none of their own. */
export const fromUi = createRequire(path.join(ROOT, 'ui/package.json'));

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

/** The content policy that the real window sets, as a header. */
function policy() {
  const { csp } = JSON.parse(fs.readFileSync(path.join(ROOT, 'tauri.conf.json'), 'utf8')).app.security;
  return Object.entries(csp)
    .map(([name, value]) => `${name} ${value}`)
    .join('; ');
}

/** Serves ui/dist on loopback; resolves to { address, close }. */
export async function servePages() {
  if (!fs.existsSync(path.join(DIST, 'assets'))) throw new Error('build the window first: npm run build, in ui');
  const csp = policy();
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    if (pathname === '/favicon.ico') return response.writeHead(204).end();
    const file = path.join(DIST, path.normalize(pathname === '/' ? '/index.html' : pathname));
    if (!file.startsWith(DIST) || !fs.existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': TYPES[path.extname(file)], 'content-security-policy': csp });
    response.end(fs.readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { address: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

/** Starts Debian's Chromium; `env` is added to its environment. */
export function startBrowser(env = {}) {
  const { chromium } = fromUi('playwright-core');
  const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((file) => fs.existsSync(file));
  return chromium.launch({ executablePath, args: ['--no-sandbox'], env: { ...process.env, ...env } });
}

/** Runs in the page before anything else: Tauri's side of the bridge, answering from a table. */
function bridge(answers) {
  const callbacks = new Map();
  const listeners = [];
  const asked = [];
  let last = 0;
  window.__engine = {
    asked,
    answers,
    tell: (payload) =>
      listeners.forEach(({ event, handler }) => callbacks.get(handler)?.({ event, id: handler, payload })),
  };
  window.__TAURI_EVENT_PLUGIN_INTERNALS__ = { unregisterListener: () => undefined };
  window.__TAURI_INTERNALS__ = {
    transformCallback: (callback) => (callbacks.set(++last, callback), last),
    unregisterCallback: (id) => callbacks.delete(id),
    invoke: async (command, question) => {
      if (command === 'plugin:event|listen') return (listeners.push(question), question.handler);
      asked.push([command, question]);
      const answer = answers[command];
      if (answer === undefined) return null;
      if (answer === 'never') return new Promise(() => undefined);
      if (answer.refused) throw answer.refused;
      if (answer.byLength) return answer.byLength[question.starts.length];
      return answer.by ? answer.by[Object.values(question)[0]] : answer.value;
    },
  };
}

/** A page over the given answers; `options` are Playwright's. Collects what the page complains about. */
export async function openPage(browser, address, answers, { zoom = 1, now, ...options } = {}) {
  const { width, height } = options.viewport ?? { width: 980, height: 700 };
  const context = await browser.newContext({
    locale: 'en-GB',
    // Made-up times are by the clock on this wall.
    timezoneId: Intl.DateTimeFormat().resolvedOptions().timeZone,
    ...options,
    // Zooming a window to 200 % leaves the page half the pixels each way.
    viewport: { width: Math.round(width / zoom), height: Math.round(height / zoom) },
    deviceScaleFactor: zoom,
  });
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  if (now !== undefined) await page.clock.setFixedTime(now);
  await page.addInitScript(bridge, answers);
  await page.goto(address);
  await page.locator('main h1').first().waitFor({ state: 'attached' });
  return { page, complaints, close: () => context.close() };
}
