// A real window, operated through WebKitWebDriver: the few verbs that the tests need. Source: W3C WebDriver, "Endpoints".
import net from 'node:net';
import { start, until } from './processes.mjs';

const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';

/**
 * Opens a program under the driver; both run in `env`, and in the bay if there is one. `log` is a file for what they
 * complain about.
 */
export async function openWindow(program, { env, log, bay }) {
  const port = await freePort();
  const words = ['WebKitWebDriver', `--port=${port}`, '--host=127.0.0.1'];
  const [command, ...args] = bay ? bay.inside(...words) : words;
  const driver = start(command, args, {
    env: { ...env, TAURI_WEBVIEW_AUTOMATION: 'true' },
    log,
  });
  await until('WebKitWebDriver', async () => (await fetch(`http://127.0.0.1:${port}/status`)).ok);
  const ask = async (method, path, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, body: body && JSON.stringify(body) });
    const { value } = await response.json();
    if (!response.ok) throw new Error(`${value.error}: ${value.message}`);
    return value;
  };
  const wish = { alwaysMatch: { 'webkitgtk:browserOptions': { binary: program, args: [] } } };
  const { sessionId } = await ask('POST', '/session', { capabilities: wish });
  // A busy machine paints late.
  await ask('POST', `/session/${sessionId}/timeouts`, { script: 120_000 });
  return new Window((method, path, body) => ask(method, `/session/${sessionId}${path}`, body), driver);
}

class Window {
  constructor(ask, driver) {
    this.ask = ask;
    this.driver = driver;
  }

  /** Waits for an element, by CSS selector. */
  find(selector) {
    return until(selector, async () => {
      const found = await this.ask('POST', '/element', { using: 'css selector', value: selector });
      return found[ELEMENT];
    });
  }

  async count(selector) {
    return (await this.ask('POST', '/elements', { using: 'css selector', value: selector })).length;
  }

  async click(selector) {
    await until(`a click on ${selector}`, async () => {
      await this.ask('POST', `/element/${await this.find(selector)}/click`, {});
      return true;
    });
  }

  async type(selector, text) {
    await this.ask('POST', `/element/${await this.find(selector)}/value`, { text });
  }

  async text(selector) {
    return this.ask('GET', `/element/${await this.find(selector)}/text`);
  }

  /** How large the first such element is, in pixels of the page: { width, height, x, y }. */
  async sizeOf(selector) {
    return this.ask('GET', `/element/${await this.find(selector)}/rect`);
  }

  /** Waits for the control that a label names: a switch, a list, a field. */
  control(label) {
    return this.named('label', label, '.control');
  }

  /** Types into a field, by its label, instead of what is there. */
  async fill(label, text) {
    const field = await this.control(label);
    await this.ask('POST', `/element/${field}/clear`, {});
    await this.ask('POST', `/element/${field}/value`, { text });
  }

  /** Turns a switch on or off, by its label. */
  async turn(label) {
    await this.ask('POST', `/element/${await this.control(label)}/click`, {});
  }

  /** Whether a switch is on. */
  async isOn(label) {
    return (await this.ask('GET', `/element/${await this.control(label)}/attribute/aria-checked`)) === 'true';
  }

  /** Presses a button, or another kind of element, by its words. */
  async press(words, kind = 'button') {
    await until(`a press of “${words}”`, async () => {
      await this.ask('POST', `/element/${await this.named(kind, words)}/click`, {});
      return true;
    });
  }

  /** Presses a button on the card with this title, by its words. */
  async pressOn(title, words) {
    await until(`a press of “${words}” on “${title}”`, async () => {
      await this.ask('POST', `/element/${await this.onCard(title, words)}/click`, {});
      return true;
    });
  }

  /** Waits until the text of the card with this title matches, and returns it. */
  async saysOn(title, pattern, patience) {
    let last;
    const matching = async () => {
      last = await this.ask('GET', `/element/${await this.onCard(title)}/text`);
      return pattern.test(last) ? last : undefined;
    };
    return until(`“${title}” to say ${pattern}`, matching, patience).catch((error) => {
      throw new Error(`${error.message}; it said ${JSON.stringify(last)}`);
    });
  }

  /** Waits for the card with this title, or for the button with these words on it. */
  onCard(title, button) {
    const script = `const plain = (element) => element?.textContent.trim().replace(/\\s+/g, ' ');
      const [title, button] = arguments;
      const cards = [...document.querySelectorAll('main section.card')];
      const card = cards.find((card) => plain(card.querySelector('h2')) === title);
      return button ? [...(card?.querySelectorAll('button') ?? [])].find((one) => plain(one) === button) : card`;
    return until(`${button ?? 'the card'} on “${title}”`, async () => {
      const found = await this.ask('POST', '/execute/sync', { script, args: [title, button ?? null] });
      return found?.[ELEMENT];
    });
  }

  /** Chooses from a list, by its label and the choice's words. */
  async pick(label, choice) {
    await this.control(label);
    await this.ask('POST', `/element/${await this.named('option', choice)}/click`, {});
  }

  /** What a list stands at, in its words. */
  async picked(label) {
    const list = await this.control(label);
    const script = 'return arguments[0].selectedOptions[0].textContent';
    return plain(await this.ask('POST', '/execute/sync', { script, args: [{ [ELEMENT]: list }] }));
  }

  /** Waits for an element by its kind and its words, and takes a property of it that is an element. */
  named(kind, words, property = '') {
    const script = `const plain = (text) => text.trim().replace(/\\s+/g, ' ');
      const found = [...document.querySelectorAll(arguments[0])];
      return found.find((element) => plain(element.textContent) === arguments[1])?${property || '.valueOf()'}`;
    return until(`the ${kind} “${words}”`, async () => {
      const found = await this.ask('POST', '/execute/sync', { script, args: [kind, words] });
      return found?.[ELEMENT];
    });
  }

  /** Waits until an element's text matches, and returns it. */
  async says(selector, pattern, patience) {
    let last;
    const matching = async () => ((last = await this.text(selector)), pattern.test(last) ? last : undefined);
    return until(`${selector} to say ${pattern}`, matching, patience).catch((error) => {
      throw new Error(`${error.message}; it said ${JSON.stringify(last)}`);
    });
  }

  /** A picture of the page, painted since the last change. */
  async picture() {
    const script = 'const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done(1)))';
    await this.ask('POST', '/execute/async', { script, args: [] });
    return Buffer.from(await this.ask('GET', '/screenshot'), 'base64');
  }
}

/** Times are written with spaces that do not break. */
function plain(text) {
  return text.trim().replace(/\s+/g, ' ');
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
