import { AsyncLocalStorage } from 'node:async_hooks';
import { monotonicMs, Socket } from '@sock/core';
import { binding } from '@sock/native';
import { PollEvents, SocketPoll, type Timer } from '@sock/poll';
import { runScript, within } from '@sock/testing';

/** Blocks this thread, as a callback that takes its time does. */
function block(ms: number): void {
  const endMs = monotonicMs() + ms;
  while (monotonicMs() < endMs);
}

// Those of the usual addon: kqueue's is asked by `pnpm check jest:address`.
describe.each(binding.backends)('timers of a SocketPoll on %s', (backend) => {
  let poll: SocketPoll;

  beforeEach(() => {
    poll = new SocketPoll({ backend });
  });
  afterEach(() => poll.close());

  it.each(['waitSync', 'wait'] as const)(
    'fire within %s, which returns, and never early',
    async (form) => {
      const startMs = monotonicMs();
      let firedMs = 0;
      poll.addTimer(7.5, () => {
        firedMs = monotonicMs();
      });
      expect(await within(1_000, Promise.resolve(poll[form](1_000)))).toEqual([]);
      expect(firedMs - startMs).toBeGreaterThanOrEqual(7.5);
    },
  );

  it('fire within tryWait when they are due, and only once', () => {
    let fired = 0;
    poll.addTimer(0, () => fired++);
    poll.tryWait();
    poll.tryWait();
    expect(fired).toBe(1);
  });

  it('fire within run and iteration', async () => {
    const abort = new AbortController();
    poll.addTimer(1, () => abort.abort());
    await expect(poll.run(() => {}, { signal: abort.signal })).rejects.toMatchObject({
      name: 'AbortError',
    });
    poll.addTimer(1, () => poll.close());
    for await (const event of poll) expect(event).toBeUndefined();
  });

  it('fire while a wait is under way to which they were added', async () => {
    const waiting = poll.wait(10_000);
    poll.addTimer(50, () => {});
    poll.addTimer(1, () => {});
    expect(await within(1_000, waiting)).toEqual([]);
  });

  it('fire in the order of their times', () => {
    const fired: Timer[] = [];
    const timers = [60, 20, 40].map((delay) => {
      const timer: Timer = poll.addTimer(delay, () => fired.push(timer));
      return timer;
    });
    // Not by their delays: this thread may have been held up between two of them.
    const times = new Map(timers.map((timer) => [timer, timer.remaining]));
    block(Math.max(...times.values()) + 1);
    poll.waitSync(1_000);
    expect(fired).toHaveLength(3);
    const inOrder = fired.map((timer) => times.get(timer));
    expect(inOrder).toEqual([...times.values()].sort((a, b) => a - b));
  });

  it('come before the events of the same wait, and can take those back', () => {
    const [near, far] = Socket.pair();
    poll.add(near, PollEvents.Write);
    poll.addTimer(0, () => near.close());
    block(1);
    expect(poll.waitSync(1_000)).toEqual([]);
    far.close();
  });

  it('that are added by a callback wait for the next pass', () => {
    let fired = 0;
    function again(): void {
      fired++;
      poll.addTimer(0, again);
    }
    poll.addTimer(0, again);
    poll.waitSync(1_000);
    expect(fired).toBe(1);
    poll.waitSync(1_000);
    expect(fired).toBe(2);
  });

  it('can be cancelled, once, and are over then', () => {
    let fired = 0;
    const timer = poll.addTimer(100, () => fired++);
    expect(timer.remaining).toBeGreaterThan(0);
    expect(timer.cancel()).toBe(true);
    expect(timer.cancel()).toBe(false);
    expect(timer.remaining).toBe(-1);
    block(101);
    poll.tryWait();
    expect(fired).toBe(0);
  });

  it('that are due can be cancelled by others of the same pass', () => {
    const fired: string[] = [];
    poll.addTimer(0, () => {
      fired.push('first');
      expect(second.remaining).toBe(0);
      expect(second.cancel()).toBe(true);
    });
    const second = poll.addTimer(0.1, () => fired.push('second'));
    block(1);
    poll.tryWait();
    expect(fired).toEqual(['first']);
  });

  it('that repeat make one of the ticks that were missed, without drift', () => {
    const startMs = monotonicMs();
    const ticks: number[] = [];
    const timer = poll.addRepeatingTimer(10, () => ticks.push(monotonicMs() - startMs));
    block(45);
    poll.tryWait();
    expect(ticks).toHaveLength(1);
    poll.waitSync(1_000);
    expect(ticks).toHaveLength(2);
    // Not before a multiple of the interval, counted from the start.
    expect(ticks[1]).toBeGreaterThanOrEqual(50);
    expect(timer.cancel()).toBe(true);
    expect(poll.waitSync(25)).toEqual([]);
    expect(ticks).toHaveLength(2);
  });

  it('that repeat can end themselves', () => {
    let fired = 0;
    const timer: Timer = poll.addRepeatingTimer(1, () => {
      fired++;
      expect(timer.cancel()).toBe(true);
    });
    poll.waitSync(1_000);
    expect(poll.waitSync(10)).toEqual([]);
    expect(fired).toBe(1);
  });

  it('can be paused, and go on with what was left', () => {
    let fired = 0;
    const timer = poll.addTimer(20, () => fired++);
    timer.pause();
    timer.pause();
    const left = timer.remaining;
    expect(timer.isPaused).toBe(true);
    expect(left).toBeLessThanOrEqual(20);
    block(25);
    expect(poll.tryWait()).toEqual([]);
    expect(timer.remaining).toBe(left);
    const startMs = monotonicMs();
    timer.resume();
    timer.resume();
    poll.waitSync(1_000);
    expect(fired).toBe(1);
    expect(monotonicMs() - startMs).toBeGreaterThanOrEqual(left);
  });

  it('that repeat keep their interval when they were paused or rescheduled, never early', () => {
    const ticks: number[] = [];
    const timer = poll.addRepeatingTimer(20, () => ticks.push(monotonicMs()));
    const tick = (): number => {
      const had = ticks.length;
      poll.waitSync(1_000);
      expect(ticks).toHaveLength(had + 1);
      return ticks.at(-1) ?? 0;
    };
    tick();
    timer.pause();
    const left = timer.remaining;
    block(50);
    // None of those that would have been meanwhile is made up for.
    expect(poll.tryWait()).toEqual([]);
    expect(ticks).toHaveLength(1);
    const resumedMs = monotonicMs();
    timer.resume();
    expect(tick()).toBeGreaterThanOrEqual(resumedMs + left);
    expect(tick()).toBeGreaterThanOrEqual(resumedMs + left + 20);

    const rescheduledMs = monotonicMs();
    timer.reschedule(35);
    expect(tick()).toBeGreaterThanOrEqual(rescheduledMs + 35);
    block(70);
    tick();
    // Three were missed and made one; the next is on the grid of the new start.
    expect(tick()).toBeGreaterThanOrEqual(rescheduledMs + 35 + 4 * 20);
    expect(timer.cancel()).toBe(true);
  });

  it('can be rescheduled, sooner, later, or while paused', () => {
    let fired = 0;
    const timer = poll.addTimer(10_000, () => fired++);
    timer.reschedule(5_000);
    timer.pause();
    timer.reschedule(0);
    expect(timer.isPaused).toBe(false);
    poll.waitSync(1_000);
    expect(fired).toBe(1);
  });

  it('that are over refuse what would need them, with a TimerError', () => {
    const timer = poll.addTimer(0, () => {});
    poll.waitSync(1_000);
    const over = expect.objectContaining({ name: 'TimerError', code: 'ERR_SOCK_TIMER_OVER' });
    expect(() => timer.pause()).toThrow(over);
    expect(() => timer.resume()).toThrow(over);
    expect(() => timer.reschedule(1)).toThrow(over);
  });

  it('are over when the poll is closed, also by one of them', () => {
    let fired = 0;
    poll.addTimer(0, () => poll.close());
    const second = poll.addTimer(0, () => fired++);
    const paused = poll.addTimer(5, () => fired++);
    paused.pause();
    block(1);
    expect(poll.waitSync(1_000)).toEqual([]);
    expect(fired).toBe(0);
    expect(second.remaining).toBe(-1);
    expect(paused.remaining).toBe(-1);
  });

  it('run in the asynchronous context that they were made in', () => {
    const storage = new AsyncLocalStorage<string>();
    let seen: string | undefined;
    storage.run('outer', () => {
      poll.addTimer(0, () => {
        seen = storage.getStore();
      });
    });
    poll.waitSync(1_000);
    expect(seen).toBe('outer');
  });

  it('keep their order through any sequence of changes', () => {
    const fired: number[] = [];
    const timers = Array.from({ length: 60 }, (_, index) => {
      const delay = ((index * 7) % 5) * 20;
      return poll.addTimer(delay, () => fired.push(delay));
    });
    for (let index = 0; index < timers.length; index += 3) timers[index]?.cancel();
    block(81);
    poll.waitSync(1_000);
    expect(fired).toHaveLength(40);
    expect(fired).toEqual([...fired].sort((a, b) => a - b));
  });

  it('refuse delays that are none', () => {
    for (const delay of [-1, Number.NaN, 2 ** 31, Number.POSITIVE_INFINITY]) {
      const error = expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
      expect(() => poll.addTimer(delay, () => {})).toThrow(error);
      expect(() => poll.addRepeatingTimer(delay, () => {})).toThrow(error);
    }
    expect(() => poll.addRepeatingTimer(0.5, () => {})).toThrow(RangeError);
    const notFunction = expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' });
    expect(() => poll.addTimer(1, 'x' as unknown as () => void)).toThrow(notFunction);
  });
});

describe('a timer whose callback throws', () => {
  it('is an uncaught exception, and the wait and the other timers go on', async () => {
    const result = await runScript(`
      const { SocketPoll } = require('@sock/poll');
      process.on('uncaughtException', (error) => console.log(error.message));
      const poll = new SocketPoll();
      poll.addTimer(0, () => { throw new Error('thrown by a timer'); });
      poll.addTimer(0, () => console.log('the other'));
      await new Promise((resolve) => setTimeout(resolve, 2));
      console.log(String((await poll.wait()).length));
      poll.close();
    `);
    expect(result.stdout.trim().split('\n').sort()).toEqual([
      '0',
      'the other',
      'thrown by a timer',
    ]);
  });
});
