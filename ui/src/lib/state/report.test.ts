import { afterEach, expect, test, vi } from 'vitest';
import { clearMocks, engine, refuse } from '../../test/engine';
import { problem } from '../../test/made-up';
import { Report } from './report.svelte';

afterEach(clearMocks);

function clipboard(write: (text: string) => Promise<void>): void {
  vi.stubGlobal('navigator', Object.assign(Object.create(navigator) as Navigator, { clipboard: { writeText: write } }));
}

async function made(answers: Parameters<typeof engine>[0] = {}): Promise<Report> {
  engine({ report: () => 'as it stands', ...answers });
  const report = new Report();
  await report.make();
  return report;
}

test('what is copied is what was read', async () => {
  const copied: string[] = [];
  clipboard((text) => Promise.resolve(void copied.push(text)));
  const report = await made();
  expect(report.text).toBe('as it stands');
  await report.copy();
  expect([copied, report.done]).toEqual([['as it stands'], 'copied']);
});

test('a system that keeps its clipboard to itself is no error', async () => {
  clipboard(() => Promise.reject(new Error('NotAllowedError')));
  const report = await made();
  await report.copy();
  expect([report.done, report.problem]).toEqual(['not_copied', undefined]);
});

test('it is saved where it was chosen, and only there', async () => {
  const saved: unknown[] = [];
  let path: string | null = null;
  const report = await made({
    'plugin:dialog|save': () => path,
    save_report: (question) => void saved.push(question),
  });
  await report.save();
  expect([saved, report.done]).toEqual([[], undefined]);
  path = '/home/a/report.txt';
  await report.save();
  expect([saved, report.done]).toEqual([[{ path, text: 'as it stands' }], 'saved']);
});

test('a refusal is said', async () => {
  const report = await made({ report: () => refuse(problem('needs_you')) });
  expect([report.text, report.problem?.code, report.busy]).toEqual([undefined, 'made_up', false]);
});
