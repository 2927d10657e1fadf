// What every story of the real window begins with: a desktop, the test network with one account, and the window.
//
// SKYKEEP_APP names the program; without it, the debug build is taken. Pictures go to target/e2e.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { busName, startDesktop, startNetwork, trayMenu } from './desktop.mjs';
import { end, endAll, run, until } from './processes.mjs';
import { openWindow } from './webdriver.mjs';
import { Pds } from '../../network/seed/xrpc.mjs';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const PICTURES = path.join(ROOT, 'target/e2e');

export const APP = process.env.SKYKEEP_APP ?? path.join(ROOT, 'target/debug/skykeep');
/** The answer of an account's page, in one line; its button; the way on from one question to the next. */
export const ANSWER = 'section.status h1';
export const MAIN_BUTTON = 'section.status button.main';
export const NEXT = '.foot .actions button.main';

/** Begins the story of this file, about one account or a family's. What `prepare` does comes before the window opens. */
export function begin({ who = 'account', records = 60, prepare } = {}) {
  const story = new Story();
  before(async () => {
    fs.mkdirSync(PICTURES, { recursive: true });
    await story.start([who, '--records', String(records), '--large-blob', '300000']);
    await prepare?.(story);
    await story.open();
  });
  after(async () => {
    await endAll();
    if (story.desktop) fs.rmSync(story.desktop.root, { recursive: true, force: true });
  });
  return story;
}

class Story {
  // The window's verbs, for whichever window is open.
  find = (...args) => this.window.find(...args);
  count = (...args) => this.window.count(...args);
  click = (...args) => this.window.click(...args);
  type = (...args) => this.window.type(...args);
  text = (...args) => this.window.text(...args);
  press = (...args) => this.window.press(...args);
  pressOn = (...args) => this.window.pressOn(...args);
  saysOn = (...args) => this.window.saysOn(...args);
  sizeOf = (...args) => this.window.sizeOf(...args);
  pick = (...args) => this.window.pick(...args);
  fill = (...args) => this.window.fill(...args);
  says = (...args) => this.window.says(...args);

  async start(seed) {
    this.desktop = await startDesktop();
    this.log = path.join(this.desktop.root, 'log');
    this.network = await startNetwork(this.log, seed);
    /** The one that the window keeps, unless the story says otherwise. */
    this.account = this.network.accounts[0];
    this.env = { ...this.desktop.env, ...this.network.env, SKYKEEP_KEYSTORE: 'os' };
    /** Where backups go unless something else is chosen. */
    this.vault = path.join(this.desktop.home, 'Skykeep');
  }

  /** Opens the window; with `bay`, in there. */
  async open() {
    this.window = await openWindow(APP, { env: this.env, log: this.log, bay: this.bay });
  }

  /**
   * One step of the story; when it fails, what Skykeep wrote is shown, and a picture is taken. The steps after it build
   * on it, and would only wait in vain.
   */
  step = (name, work) =>
    test(name, async (context) => {
      if (this.broken) return context.skip(`after “${this.broken}” failed`);
      try {
        await work();
      } catch (error) {
        this.broken = name;
        await this.screen('failed').catch(() => undefined);
        console.error(fs.readFileSync(this.log, 'utf8').split('\n').slice(-40).join('\n'));
        throw error;
      }
    });

  /** A picture of the page. */
  async picture(name) {
    fs.writeFileSync(path.join(PICTURES, `${name}.png`), await this.window.picture());
  }

  /** A picture of the whole screen; its file. */
  async screen(name) {
    const file = path.join(PICTURES, `${name}.png`);
    await this.desktop.picture(file);
    return file;
  }

  /** Goes to a page by its address, as a link does. */
  go(hash) {
    return this.window.ask('POST', '/execute/sync', { script: 'location.hash = arguments[0]', args: [hash] });
  }

  goToAccount() {
    return this.go(`#/account/${this.account.did}`);
  }

  /** From the page of the three doors to a kept account. Only `places` of the offered places stay ticked. */
  async protect({ look, places = 1 } = {}) {
    await this.click('a.door[href="#/protect"]');
    await this.type('form input', `@${this.account.handle}`);
    await this.click('form button[type=submit]');
    await this.says('h1', /^Is this the account\?$/);
    await this.click(NEXT);
    await this.says('h1', /^Where shall the copies go\?$/);
    await this.tickOnly(places);
    await look?.();
    await this.click(NEXT);
    await this.says(ANSWER, /^Your posts are kept\.$/);
    // The button comes back when the run has ended.
    await this.find(MAIN_BUTTON);
  }

  /** Leaves only the first places ticked: who runs the tests may have a drive of their own connected. */
  async tickOnly(places) {
    const others = `main li:nth-child(n+${places + 1}) input:checked`;
    while ((await this.count(others)) > 0) await this.click(others);
    assert.equal(await this.count('main li input:checked'), places);
  }

  /** An account's host, as its owner. */
  async signedIn({ handle, password } = this.account) {
    const open = new Pds(this.network.facts.A);
    const { accessJwt } = await open.procedure('com.atproto.server.createSession', { identifier: handle, password });
    return open.withAccess(accessJwt);
  }

  /** Posts something, with a video of so many bytes if there are any; the video's CID. */
  async post(text, bytes = 0, by = this.account) {
    const pds = await this.signedIn(by);
    const record = { $type: 'app.bsky.feed.post', text, createdAt: new Date().toISOString() };
    if (bytes > 0) {
      const { blob } = await pds.upload('com.atproto.repo.uploadBlob', randomBytes(bytes), 'video/mp4');
      record.embed = { $type: 'app.bsky.embed.video', video: blob };
    }
    await pds.procedure('com.atproto.repo.createRecord', {
      repo: by.did,
      collection: record.$type,
      record,
    });
    return record.embed?.video.ref.$link;
  }

  /** `kill` or `start` for the account's host. */
  async host(verb) {
    const answer = await fetch(`${this.network.facts.control}/${verb}/A`, { method: 'POST' });
    assert.ok(answer.ok, `${verb} the host`);
  }

  /** The process that runs, as the bus knows it. */
  pid() {
    return until('Skykeep on the bus', () => busName(this.env, 'app.skykeep.desktop.SingleInstance'));
  }

  /** The words of the tray's menu, in order. */
  async tray() {
    const menu = await until('the tray menu', async () => trayMenu(this.env, await this.pid()));
    return (await menu.entries()).map(({ label }) => label);
  }

  async chooseInTray(label) {
    const menu = await until('the tray menu', async () => trayMenu(this.env, await this.pid()));
    const entry = (await menu.entries()).find((entry) => entry.label === label);
    assert.ok(entry, `${label} in the tray menu`);
    await menu.choose(entry.id);
  }

  /** Chooses Quit in the tray, by its word there, and waits for the end. */
  async quit(label = 'Quit') {
    const pid = await this.pid();
    await this.chooseInTray(label);
    const state = () => run('ps', ['-p', String(pid), '-o', 'stat=']).catch(() => '');
    await until('the end of Skykeep', async () => !/^[^Z]/m.test(await state()));
    await end(this.window.driver);
  }
}
