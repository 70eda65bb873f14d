import { markAsUntransferable } from 'node:worker_threads';
import { thrownBy } from '@sock/testing';
import fc from 'fast-check';
import { Arena } from './arena.js';

const mebibyte = 1024 * 1024;

/** Takes what other tests released, and keeps it: ten chunks are all there can be. */
function useUpKept(): void {
  for (let i = 0; i < 10; i++) new Arena().alloc(1);
}

describe('an arena', () => {
  it('hands out memory of the size that was asked for, none of it twice', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 20_000 }), fc.nat(12)), { maxLength: 40 }),
        (requests) => {
          using arena = new Arena();
          const views = requests.map(([size, shift], index) => {
            const view = arena.alloc(size, 2 ** shift).fill(index);
            expect(view.length).toBe(size);
            expect(view.byteOffset % 2 ** shift).toBe(0);
            return view;
          });
          for (const [index, view] of views.entries()) {
            expect(view.every((byte) => byte === index)).toBe(true);
          }
          const wanted = views.reduce((sum, { length }) => sum + length, 0);
          expect(arena.bytesUsed).toBeGreaterThanOrEqual(wanted);
          expect(arena.bytesReserved).toBeGreaterThanOrEqual(arena.bytesUsed);
        },
      ),
    );
  });

  it('takes no memory before it is asked for some', () => {
    using arena = new Arena();
    expect(arena.bytesReserved).toBe(0);
    arena.alloc(1);
    expect(arena.bytesReserved).toBeGreaterThan(0);
  });

  it('goes on cutting a chunk after a piece that needed one of its own', () => {
    using arena = new Arena();
    const before = arena.alloc(16);
    arena.alloc(5 * mebibyte);
    expect(arena.alloc(16).buffer).toBe(before.buffer);
  });

  it('empties every view when it is cleared, and can be used again', () => {
    using arena = new Arena();
    const views = [arena.alloc(10), arena.alloc(50_000), arena.calloc(3, 7)];
    arena.clear();
    expect(views.map(({ length }) => length)).toEqual([0, 0, 0]);
    expect(arena.bytesUsed).toBe(0);
    expect(arena.bytesReserved).toBe(0);
    expect(arena.alloc(10).length).toBe(10);
  });

  it('empties every view when it is disposed, and then refuses', () => {
    const arena = new Arena();
    const view = arena.alloc(10);
    arena.dispose();
    arena.dispose();
    expect(view.length).toBe(0);
    expect(arena.isDisposed).toBe(true);
    expect(thrownBy(() => arena.alloc(1))).toMatchObject({
      name: 'ArenaError',
      code: 'ERR_SOCK_CLOSED',
    });
    expect(thrownBy(() => arena.calloc(1, 1))).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
  });

  it('is disposed at the end of its scope', () => {
    let view: Buffer;
    {
      using arena = new Arena();
      view = arena.alloc(10);
      expect(view.length).toBe(10);
    }
    expect(view.length).toBe(0);
  });

  it('uses memory again that another one released, the smallest that is large enough', () => {
    useUpKept();
    const [small, medium, large] = [new Arena(), new Arena(), new Arena()];
    for (const [arena, size] of [
      [large, 900_000],
      [small, 10_000],
      [medium, 300_000],
    ] as const) {
      arena.alloc(size);
    }
    for (const arena of [large, small, medium]) arena.dispose();
    using arena = new Arena();
    arena.alloc(200_000);
    expect(arena.bytesReserved).toBe(300_000);
  });

  it('gives zeros where they were asked for, though the memory was used before', () => {
    for (let i = 0; i < 3; i++) {
      using arena = new Arena();
      const view = arena.calloc(5, 1000);
      expect(view.length).toBe(5000);
      expect(view.every((byte) => byte === 0)).toBe(true);
      view.fill(0xff);
    }
  });

  it('leaves nothing behind in its memory where it was told so', () => {
    useUpKept();
    const size = 700_001;
    const secret = new Arena({ zeroOnRelease: true });
    secret.alloc(size).fill(0xaa);
    secret.dispose();
    using next = new Arena();
    // The memory of before, by its size.
    const view = next.alloc(size);
    expect(next.bytesReserved).toBe(size);
    expect(view.every((byte) => byte === 0)).toBe(true);
  });

  it('has one limit, which an allocation may reach', () => {
    using arena = new Arena();
    expect(arena.alloc(100 * mebibyte, 4096).length).toBe(100 * mebibyte);
    arena.clear();
    expect(arena.calloc(100, mebibyte).length).toBe(100 * mebibyte);
    const tooLarge = thrownBy(() => arena.alloc(100 * mebibyte + 1));
    expect(tooLarge).toMatchObject({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
    expect(tooLarge.message).toContain('"size"');
    const tooMany = thrownBy(() => arena.calloc(101, mebibyte));
    expect(tooMany).toMatchObject({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
    expect(tooMany.message).toContain('"count"');
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 53])('refuses a size of %p', (size) => {
    using arena = new Arena();
    expect(thrownBy(() => arena.alloc(size)).message).toContain('"size"');
    expect(thrownBy(() => arena.calloc(1, size)).message).toContain('"size"');
    expect(thrownBy(() => arena.calloc(size, 1)).message).toContain('"count"');
  });

  it.each([0, 3, 12, -4, 8192])('refuses an alignment of %p', (align) => {
    using arena = new Arena();
    const error = thrownBy(() => arena.alloc(1, align));
    expect(error).toMatchObject({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
    expect(error.message).toContain('"align"');
  });

  it('says that there is no memory', () => {
    const { ArrayBuffer: original } = globalThis;
    class NoMemory {
      constructor() {
        throw new RangeError('Array buffer allocation failed');
      }
    }
    using arena = new Arena();
    let error: Error;
    Reflect.set(globalThis, 'ArrayBuffer', NoMemory);
    try {
      error = thrownBy(() => arena.alloc(50 * mebibyte));
    } finally {
      globalThis.ArrayBuffer = original;
    }
    expect(error).toMatchObject({ name: 'ArenaError', code: 'ENOMEM', retryable: true });
  });

  it('does without a chunk that somebody transferred away', () => {
    using arena = new Arena();
    const view = arena.alloc(10);
    structuredClone(view.buffer, { transfer: [view.buffer as ArrayBuffer] });
    expect(arena.alloc(10).length).toBe(10);
    arena.clear();
    expect(arena.alloc(10).length).toBe(10);
  });

  it('never uses memory again that somebody forbade to take away', () => {
    useUpKept();
    const arena = new Arena();
    const view = arena.alloc(654_321).fill(1);
    markAsUntransferable(view.buffer);
    arena.dispose();
    using next = new Arena();
    next.alloc(654_321).fill(2);
    expect(view.every((byte) => byte === 1)).toBe(true);
  });
});
