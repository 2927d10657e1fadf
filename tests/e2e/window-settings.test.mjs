// What a person chooses in Settings: it counts at once, and is still chosen after a new start.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe } from 'node:test';
import { until } from './lib/processes.mjs';
import { begin } from './lib/story.mjs';

const story = begin();
const { step, says, press } = story;

const attribute = (name) =>
  story.window.ask('POST', '/execute/sync', {
    script: 'return document.documentElement.getAttribute(arguments[0])',
    args: [name],
  });
const picked = (label, choice) =>
  until(`${label}: ${choice}`, async () => (await story.window.picked(label)) === choice);
const isOn = (label) => until(`${label} to be on`, () => story.window.isOn(label));
const firstStart = () => path.join(story.desktop.home, '.config/autostart/Skykeep.desktop');

describe('settings', () => {
  step('before anything is chosen', async () => {
    await story.protect();
    await story.go('#/settings');
    await says('h1', /^Settings$/);
    assert.equal(await story.window.isOn('Quiet hours'), false);
    await picked('Language', 'As the system');
    await story.picture('settings-1-first');
  });

  step('quiet hours', async () => {
    await story.window.turn('Quiet hours');
    await picked('From', '10:00 PM');
    await story.window.pick('From', '11:00 PM');
    await picked('Until', '7:00 AM');
    await story.picture('settings-2-quiet');
  });

  step('starting with the system is told to the system', async () => {
    // Protecting the first account has asked for it.
    await isOn('Start with this computer');
    assert.match(fs.readFileSync(firstStart(), 'utf8'), /^Exec=.*skykeep.* --hidden$/m);
    await story.window.turn('Start with this computer');
    await until('the system to forget it', () => !fs.existsSync(firstStart()));
    await story.window.turn('Start with this computer');
    await until('the system to know it', () => fs.existsSync(firstStart()));
  });

  step('appearance', async () => {
    await story.window.pick('Appearance', 'Dark');
    await until('the dark', async () => (await attribute('data-theme')) === 'dark');
    await story.picture('settings-3-dark');
  });

  step('another language changes every word of the page and of the tray', async () => {
    await story.window.pick('Language', 'Deutsch');
    await says('h1', /^Einstellungen$/);
    for (const room of ['Übersicht', 'Sicherungsorte', 'Einstellungen']) await story.window.named('nav a', room);
    await picked('Darstellung', 'Dunkel');
    await picked('Von', '23:00');
    assert.equal(await attribute('lang'), 'de');
    await until('the tray to follow', async () => (await story.tray()).includes('Skykeep öffnen'));
    await story.picture('settings-4-german');
  });

  step('a pause is said where the account is', async () => {
    await story.goToAccount();
    await press('Pausieren');
    await press('Bis ich fortsetze', '[role=menuitem]');
    await says('section.status', /Pausiert\./);
    await story.picture('settings-5-paused');
  });
});

describe('after a new start', () => {
  step('all of it is as it was chosen', async () => {
    await story.quit('Beenden');
    await story.open();
    await says('h1', /./);
    assert.deepEqual([await attribute('lang'), await attribute('data-theme')], ['de', 'dark']);
    await story.picture('settings-6-new-start');
    await story.goToAccount();
    await says('section.status', /Pausiert\./);
    await story.go('#/settings');
    await isOn('Ruhezeit');
    await isOn('Mit diesem Computer starten');
    await picked('Von', '23:00');
    await picked('Darstellung', 'Dunkel');
  });

  step('and can be taken back', async () => {
    await story.window.pick('Sprache', 'Wie das System');
    await says('h1', /^Settings$/);
    await story.window.pick('Appearance', 'Light');
    await until('the light', async () => (await attribute('data-theme')) === 'light');
    await story.window.turn('Quiet hours');
    await until('quiet hours to end', async () => !(await story.window.isOn('Quiet hours')));
    await story.picture('settings-7-back');
    await story.quit();
  });
});
