// The desktop's own dialog for choosing a folder or a file, worked by the keyboard.
import { run, until } from './processes.mjs';

/** How long a path that was typed may take to be chosen, in milliseconds. */
const KEY_PATIENCE = 10_000;

/** Waits for the dialog, types a path into it and confirms. Resolves when it is closed. */
export async function choose(env, file) {
  const [id] = await until('the dialog', async () => (await dialogs(env)).length > 0 && dialogs(env));
  const keys = (...args) => run('xdotool', args, { env });
  const press = (...names) => keys('key', '--clearmodifiers', ...names);
  const isClosed = async () => (await dialogs(env)).length === 0;
  await keys('windowactivate', '--sync', id);
  // A slash opens the line in which a path can be typed. Source: GTK 3, GtkFileChooser, "location-popup".
  await press('slash');
  await until('the dialog to close', async () => {
    const open = await dialogs(env);
    if (open.length === 0) return true;
    // A key that came before the line was there is lost. Such a path is complained of: confirm, and type all of it again.
    if (open.length > 1) await press('Return');
    await keys('windowactivate', '--sync', id);
    await press('ctrl+a');
    await keys('type', '--clearmodifiers', '--delay', '20', file);
    // What it has completed by itself is selected: it goes.
    await press('Delete', 'Return');
    return until('the choice', isClosed, KEY_PATIENCE);
  });
}

async function dialogs(env) {
  const found = await run('xdotool', ['search', '--onlyvisible', '--class', 'skykeep'], { env }).catch(() => '');
  const ids = found.trim().split('\n').filter(Boolean);
  const kinds = await Promise.all(ids.map((id) => run('xprop', ['-id', id, '_NET_WM_WINDOW_TYPE'], { env })));
  return ids.filter((_, n) => kinds[n].includes('_NET_WM_WINDOW_TYPE_DIALOG'));
}
