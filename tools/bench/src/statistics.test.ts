import { median, pairedRatio, summarize } from './statistics.js';

describe('median', () => {
  it('is the middle of an odd number of values, whatever their order', () => {
    expect(median([9, 1, 5])).toBe(5);
  });

  it('is half-way between the two in the middle of an even number', () => {
    expect(median([4, 1, 2, 100])).toBe(3);
  });

  it('refuses to make up a value from none', () => {
    expect(() => median([])).toThrow(RangeError);
  });
});

describe('summarize', () => {
  it('keeps the lowest and the highest beside the median', () => {
    expect(summarize([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
  });
});

describe('pairedRatio', () => {
  it('takes the ratio inside each round, so that a slow machine cancels out', () => {
    expect(pairedRatio([2, 20, 4], [1, 10, 2])).toEqual({ median: 2, min: 2, max: 2 });
  });

  it('leaves out the rounds that either side missed', () => {
    expect(pairedRatio([2, null, 9], [1, 5, null])).toEqual({ median: 2, min: 2, max: 2 });
  });

  it('is null when the base never ran', () => {
    expect(pairedRatio([1, 2], [])).toBeNull();
  });
});
