import { seeded } from '@sock/testing';
import { Timers } from './timers.js';

describe('timers', () => {
  it('run in the order of their times, and of their setting', () => {
    const timers = new Timers();
    const ran: string[] = [];
    for (const [name, atMs] of Object.entries({ a: 5, b: 3, c: 5, d: 1, e: 9 })) {
      timers.set(() => ran.push(name), atMs);
    }
    expect(timers.nextMs).toBe(1);
    timers.runDue(5);
    expect(ran).toEqual(['d', 'b', 'a', 'c']);
    expect(timers.nextMs).toBe(9);
  });

  it('that are cleared do not run; clearing again, or nothing, does nothing', () => {
    const timers = new Timers();
    const ran: number[] = [];
    const [first, , third] = [1, 2, 3].map((one) => timers.set(() => ran.push(one), one));
    for (const gone of [first, third, first, undefined, {}, { index: 0 }]) timers.clear(gone);
    timers.runDue(10);
    timers.clear(third);
    expect(ran).toEqual([2]);
    expect(timers.nextMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('may set and clear others when they run', () => {
    const timers = new Timers();
    const ran: string[] = [];
    const victim = timers.set(() => ran.push('victim'), 2);
    timers.set(() => {
      timers.clear(victim);
      timers.set(() => ran.push('due'), 2);
      timers.set(() => ran.push('later'), 3);
    }, 1);
    timers.runDue(2);
    expect(ran).toEqual(['due']);
    expect(timers.nextMs).toBe(3);
  });

  it(
    'come out sorted, whatever was set and cleared',
    seeded(async (random) => {
      const timers = new Timers();
      const expected: { atMs: number; order: number }[] = [];
      const ran: { atMs: number; order: number }[] = [];
      const set = Array.from({ length: 300 }, (_, order) => {
        const entry = { atMs: random.integer(0, 50), order };
        return { timer: timers.set(() => ran.push(entry), entry.atMs), entry };
      });
      for (const { timer, entry } of set) {
        if (random.oneIn(3)) timers.clear(timer);
        else expected.push(entry);
      }
      timers.runDue(100);
      expected.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
      expect(ran).toEqual(expected);
    }),
  );
});
