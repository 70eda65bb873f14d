import { ReconnectBudget } from './reconnect-budget.js';

describe('a budget', () => {
  it('lets a burst through at once, and the others one after another', () => {
    const budget = new ReconnectBudget({ rate: 10, burst: 3 });
    const waits = Array.from({ length: 6 }, () => budget.take(0));
    expect(waits).toEqual([0, 0, 0, 100, 200, 300]);
  });

  it('has its burst again after a quiet time', () => {
    const budget = new ReconnectBudget({ rate: 10, burst: 2 });
    for (let i = 0; i < 4; i++) budget.take(0);
    expect(budget.take(200)).toBe(100);
    expect(budget.take(10_000)).toBe(0);
    expect(budget.take(10_000)).toBe(0);
    expect(budget.take(10_000)).toBe(100);
  });

  it.each([{ rate: 0 }, { rate: -1 }, { burst: 0 }, { burst: 1.5 }])('refuses %p', (options) => {
    expect(() => new ReconnectBudget(options)).toThrow(RangeError);
  });
});
