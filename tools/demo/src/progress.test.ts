import { progressOn } from './progress.js';

function recorder(more: { isTTY?: boolean; columns?: number }) {
  const written: string[] = [];
  return { ...more, written, write: (text: string) => written.push(text) };
}

describe('the progress', () => {
  it('is one line on a terminal, never wider than it', () => {
    const output = recorder({ isTTY: true, columns: 16 });
    const progress = progressOn(output);
    progress.step('echo over TCP');
    progress.detail('round 1 of 3');
    progress.clear();
    expect(output.written).toEqual([
      '\r\x1b[2Kecho over TCP',
      '\r\x1b[2Kecho over TCP: ',
      '\r\x1b[2K',
    ]);
  });

  it('is a line for each step elsewhere', () => {
    const output = recorder({});
    const progress = progressOn(output);
    progress.step('echo over TCP');
    progress.detail('round 1 of 3');
    progress.clear();
    expect(output.written).toEqual(['echo over TCP\n']);
  });
});
