// The engine's side of the bridge for tests: Tauri's own mocks, answering from a table.

import { clearMocks, mockIPC } from '@tauri-apps/api/mocks';
import { emit } from '@tauri-apps/api/event';
import type { Event, Problem } from '$lib/bindings';

// jsdom has no media; nothing here depends on which.
globalThis.matchMedia = () => Object.assign(new EventTarget(), { matches: false }) as MediaQueryList;

type Answer = unknown;

/** Answers questions until `clearMocks`; returns the questions that were asked, in order. */
export function engine(answers: Record<string, (question: Record<string, unknown>) => Answer>): string[] {
  const asked: string[] = [];
  mockIPC(
    (command, question) => {
      asked.push(command);
      return answers[command]?.((question ?? {}) as Record<string, unknown>) ?? null;
    },
    { shouldMockEvents: true },
  );
  return asked;
}

/** What a command throws when the engine refuses. */
export function refuse(problem: Problem): never {
  // eslint-disable-next-line @typescript-eslint/only-throw-error -- that is what crosses the bridge
  throw problem;
}

export function tell(event: Event): Promise<void> {
  return emit('engine-event', event);
}

/** Lets everything that is under way settle. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

export { clearMocks };
