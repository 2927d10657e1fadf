// The only folder that knows Tauri: what the window may ask of the engine, and what it hears from it.

import { open } from '@tauri-apps/plugin-dialog';
import { commands, events, type Event, type Problem } from '$lib/bindings';
import { t } from '$lib/text';

/** The engine's "no", with its problem in plain words. */
export class Refusal extends Error {
  constructor(readonly problem: Problem) {
    super(problem.code);
  }
}

/** The problem behind anything that was thrown. */
export function problemOf(thrown: unknown): Problem {
  if (thrown instanceof Refusal) return thrown.problem;
  return {
    code: 'window',
    severity: 'needs_you',
    happened: t('trouble.happened'),
    means: t('trouble.means'),
    todo: t('trouble.todo'),
    actions: [],
    detail: String(thrown),
  };
}

type Result<T> = { status: 'ok'; data: T } | { status: 'error'; error: Problem };

async function ask<T>(question: Promise<Result<T>>): Promise<T> {
  const answer = await question;
  if (answer.status === 'ok') return answer.data;
  // What Tauri itself refuses comes as a bare string, whatever the bindings say.
  if (typeof answer.error !== 'object') throw new Error(String(answer.error));
  throw new Refusal(answer.error);
}

/** Every question throws a Refusal when the engine refuses it. */
export const backend = {
  lookUp: (text: string) => ask(commands.lookUp(text)),
  protect: (did: string) => ask(commands.protect(did)),
  accounts: () => ask(commands.accounts()),
  snapshots: (did: string) => ask(commands.snapshots(did)),
  places: () => ask(commands.places()),
  addFolder: (path: string) => ask(commands.addFolder(path)),
  openPlace: (id: string) => ask(commands.openPlace(id)),
  backUp: (did: string) => ask(commands.backUp(did)),
  stopRun: (did: string) => ask(commands.stopRun(did)),
  check: (place: string | null) => ask(commands.check(place)),
  confirmShrink: (did: string) => ask(commands.confirmShrink(did)),

  /** The folder that a person chooses, or null when they choose none. */
  chooseFolder: () => open({ directory: true }),

  /** Calls back for each event; resolves to what stops it. */
  listen: (hear: (event: Event) => void) => events.engineEvent.listen((event) => hear(event.payload)),
};
