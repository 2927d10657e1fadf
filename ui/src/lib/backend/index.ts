// The only folder that knows Tauri: what the window may ask of the engine, and what it hears from it.

import { open, save } from '@tauri-apps/plugin-dialog';
import {
  commands,
  events,
  type BucketAddress,
  type Event,
  type Preferences,
  type Problem,
  type TypedKeys,
  type Whose,
} from '$lib/bindings';
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
  extent: (did: string) => ask(commands.extent(did)),
  spots: () => ask(commands.spots()),
  protect: (did: string, whose: Whose, folders: string[]) => ask(commands.protect(did, whose, folders)),
  stopProtecting: (did: string) => ask(commands.stopProtecting(did)),
  /** Of one account, or of all when `did` is null; until a time, or until somebody says go on. */
  pause: (did: string | null, until: number | null) => ask(commands.pause(did, until)),
  resume: (did: string | null) => ask(commands.resume(did)),

  accounts: () => ask(commands.accounts()),
  snapshots: (did: string) => ask(commands.snapshots(did)),
  changes: (did: string, snapshot: string) => ask(commands.changes(did, snapshot)),
  /** `starts` are where the cells begin, oldest first; the last one ends now. */
  calendar: (did: string | null, starts: number[]) => ask(commands.calendar(did, starts)),
  runs: (did: string | null, limit: number) => ask(commands.runs(did, limit)),
  /** `starts` are where days begin, oldest first. */
  storage: (starts: number[]) => ask(commands.storage(starts)),
  standing: () => ask(commands.standing()),

  places: () => ask(commands.places()),
  /** Everyone on a place; `anew` measures what they use again. */
  family: (place: string, anew: boolean) => ask(commands.family(place, anew)),
  /** What each may use before that is said; the same part for everyone when it is null. */
  setShare: (place: string, gigabytes: number | null) => ask(commands.setShare(place, gigabytes)),
  /** Refused as `only_there` when no other place holds all of it, unless the person is sure. */
  leavePlace: (did: string, place: string, sure: boolean) => ask(commands.leavePlace(did, place, sure)),
  returnToPlace: (did: string, place: string) => ask(commands.returnToPlace(did, place)),
  /** `account` is its folder in the place. */
  takeAlong: (account: string, place: string, folder: string) => ask(commands.takeAlong(account, place, folder)),
  addFolder: (path: string) => ask(commands.addFolder(path)),
  providers: () => commands.providers(),
  /** What is wrong is in the answer. */
  tryBucket: (bucket: BucketAddress, keys: TypedKeys) => ask(commands.tryBucket(bucket, keys)),
  addBucket: (bucket: BucketAddress, keys: TypedKeys, name: string | null) =>
    ask(commands.addBucket(bucket, keys, name)),
  testPlace: (id: string) => ask(commands.testPlace(id)),
  retirePlace: (id: string) => ask(commands.retirePlace(id)),
  resumePlace: (id: string) => ask(commands.resumePlace(id)),
  movePlace: (id: string, to: string) => ask(commands.movePlace(id, to)),
  /** Refused while the bucket does not take them; the old ones stay then. */
  changeKeys: (id: string, keys: TypedKeys) => ask(commands.changeKeys(id, keys)),
  removePlace: (id: string) => ask(commands.removePlace(id)),
  openPlace: (id: string) => ask(commands.openPlace(id)),

  backUp: (did: string) => ask(commands.backUp(did)),
  stopRun: (did: string) => ask(commands.stopRun(did)),
  check: (place: string | null) => ask(commands.check(place)),
  confirmShrink: (did: string) => ask(commands.confirmShrink(did)),

  lookInto: (path: string) => ask(commands.lookInto(path)),
  takeOver: (path: string) => ask(commands.takeOver(path)),
  /** What was in it at the time `asOf`, where it keeps versions; what is in it now when that is null. */
  lookIntoBucket: (bucket: BucketAddress, keys: TypedKeys, asOf: number | null) =>
    ask(commands.lookIntoBucket(bucket, keys, asOf)),
  takeOverBucket: (bucket: BucketAddress, keys: TypedKeys) => ask(commands.takeOverBucket(bucket, keys, null)),
  /** Copies what was in it then to a folder, which is taken over. */
  takeOverPast: (bucket: BucketAddress, keys: TypedKeys, asOf: number, folder: string) =>
    ask(commands.takeOverPast(bucket, keys, asOf, folder)),
  import: (name: string, paths: string[]) => ask(commands.import(name, paths)),
  /** The newest snapshot when `snapshot` is null. */
  export: (did: string, snapshot: string | null, folder: string) => ask(commands.export(did, snapshot, folder)),

  preferences: () => ask(commands.preferences()),
  setPreferences: (preferences: Preferences) => ask(commands.setPreferences(preferences)),
  startsWithSystem: () => commands.startsWithSystem(),
  /** Whether it does now: the system may not take it. */
  setStartsWithSystem: (starts: boolean) => commands.setStartsWithSystem(starts),
  stored: () => ask(commands.stored()),
  report: () => ask(commands.report()),
  saveReport: (path: string, text: string) => ask(commands.saveReport(path, text)),

  /** The folder that a person chooses, or null when they choose none. */
  chooseFolder: () => open({ directory: true }),
  /** The file that a person chooses, one of these extensions if any are given. */
  chooseFile: (name: string, extensions: string[] = []) =>
    open(extensions.length > 0 ? { filters: [{ name, extensions }] } : {}),
  /** Where a person wants a file to be written; it is offered under the given name. */
  chooseTarget: (name: string) => save({ defaultPath: name }),

  /** Calls back for each event; resolves to what stops it. */
  listen: (hear: (event: Event) => void) => events.engineEvent.listen((event) => hear(event.payload)),
};
