// The desktop's own dialog for choosing a folder or a file, worked by the keyboard.
import { run, until } from './processes.mjs';

/** Waits for the dialog, types a path into it and confirms. Resolves when it is closed. */
export async function choose(env, file) {
  const id = await until('the dialog', () => dialog(env));
  const keys = (...args) => run('xdotool', ['windowactivate', '--sync', id, ...args], { env });
  // A slash opens the line in which a path can be typed. Source: GTK 3, GtkFileChooser, "location-popup".
  await keys('key', '--clearmodifiers', 'slash');
  await keys('type', '--clearmodifiers', '--delay', '20', file.slice(1));
  // What it has completed by itself is selected: it goes.
  await keys('key', '--clearmodifiers', 'Delete', 'Return');
  await until('the dialog to close', async () => !(await dialog(env)));
}

async function dialog(env) {
  const found = await run('xdotool', ['search', '--onlyvisible', '--class', 'skykeep'], { env }).catch(() => '');
  for (const id of found.trim().split('\n').filter(Boolean)) {
    const kind = await run('xprop', ['-id', id, '_NET_WM_WINDOW_TYPE'], { env });
    if (kind.includes('_NET_WM_WINDOW_TYPE_DIALOG')) return id;
  }
  return undefined;
}
