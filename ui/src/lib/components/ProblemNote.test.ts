import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, expect, test, vi } from 'vitest';
import { problem } from '../../test/made-up';
import ProblemNote from './ProblemNote.svelte';

afterEach(cleanup);

const given = problem('danger', { actions: ['back_up_now', 'choose_place', 'show_detail'], detail: 'errno 28' });

test('says what happened, what it means and what to do', () => {
  render(ProblemNote, { problem: given });
  expect(screen.getByRole('heading').textContent).toBe('Something may be lost: It happened.');
  expect(screen.getByText('It means this.')).toBeDefined();
  expect(screen.getByText('Do that.')).toBeDefined();
});

test('draws no button with nothing behind it', async () => {
  const backUp = vi.fn();
  render(ProblemNote, { problem: given, act: { back_up_now: backUp } });
  expect(screen.getAllByRole('button').map((button) => button.textContent.trim())).toEqual(['Back up now', 'Details']);
  await fireEvent.click(screen.getByText('Back up now'));
  expect(backUp).toHaveBeenCalledOnce();
});

test('says only of a host that it said something', async () => {
  render(ProblemNote, { problem: { ...given, code: 'place_full' } });
  await fireEvent.click(screen.getByText('Details'));
  expect(screen.getByText('errno 28')).toBeDefined();
  expect(screen.queryByText('What the server said')).toBeNull();
});

test('shows what the server said to who asks, and to nobody else', async () => {
  render(ProblemNote, { problem: { ...given, code: 'host_error' } });
  expect(screen.queryByText('errno 28')).toBeNull();
  await fireEvent.click(screen.getByText('What the server said'));
  expect(screen.getByText('errno 28')).toBeDefined();
});

test('without a word of the server there is nothing to disclose', () => {
  render(ProblemNote, { problem: problem('note') });
  expect(screen.queryByRole('button')).toBeNull();
});
