import { thrownBy } from '@sock/testing';
import fc from 'fast-check';
import { Arena } from './arena.js';
import { RingBuffer } from './ring-buffer.js';

/** The same in the simplest way there is. */
class Model {
  bytes: number[] = [];
  capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get space(): number {
    return this.capacity - this.bytes.length;
  }
}

/** What can be done, to both, with a number and bytes that mean something else for each. */
const actions: Record<string, (ring: RingBuffer, model: Model, n: number, data: Buffer) => void> = {
  write(ring, model, _n, data) {
    const count = Math.min(data.length, model.space);
    expect(ring.write(data)).toBe(count);
    model.bytes.push(...data.subarray(0, count));
  },
  read(ring, model, n) {
    expect([...ring.read(n)]).toEqual(model.bytes.splice(0, n));
  },
  readAll(ring, model) {
    expect([...ring.read()]).toEqual(model.bytes.splice(0));
  },
  readInto(ring, model, n) {
    const view = new Uint8Array(n);
    const expected = model.bytes.splice(0, n);
    expect(ring.read(view)).toBe(expected.length);
    expect([...view.subarray(0, expected.length)]).toEqual(expected);
  },
  peek(ring, model, n) {
    expect([...ring.peek(n)]).toEqual(model.bytes.slice(0, n));
  },
  consume(ring, model, n) {
    const count = Math.min(n, model.bytes.length);
    ring.consume(count);
    model.bytes.splice(0, count);
  },
  readView(ring, model, n) {
    const view = ring.readView();
    expect(view.length > 0).toBe(model.bytes.length > 0);
    expect([...view]).toEqual(model.bytes.slice(0, view.length));
    const used = Math.min(n, view.length);
    ring.consume(used);
    model.bytes.splice(0, used);
  },
  writeView(ring, model, _n, data) {
    const view = ring.writeView();
    expect(view.length > 0).toBe(model.space > 0);
    const count = data.copy(view);
    ring.commit(count);
    model.bytes.push(...data.subarray(0, count));
  },
  reserve(ring, model, n) {
    ring.reserve(n);
    if (n > model.space) model.capacity = Math.max(2 * model.capacity, model.bytes.length + n);
  },
  clear(ring, model) {
    ring.clear();
    model.bytes = [];
  },
  secureClear(ring, model) {
    ring.secureClear();
    model.bytes = [];
    expect(ring.writeView().every((byte) => byte === 0)).toBe(true);
  },
};

const step = fc.record({
  name: fc.constantFrom(...Object.keys(actions)),
  n: fc.nat(40),
  data: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
});

/** Filled so that the content goes round the end: 4 at the end of the memory, 3 at its front. */
function wrapped(arena?: Arena): RingBuffer {
  const ring = new RingBuffer(8, { arena });
  ring.write('....');
  ring.write('abcd');
  ring.consume(4);
  ring.write('efg');
  return ring;
}

describe.each([
  ['of its own memory', () => undefined],
  ['in an arena', () => new Arena()],
])('a ring buffer %s', (_, makeArena) => {
  it('is a queue, whatever is done to it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 24 }),
        fc.array(step, { maxLength: 60 }),
        (capacity, steps) => {
          const arena = makeArena();
          const ring = new RingBuffer(capacity, { arena });
          const model = new Model(capacity);
          for (const { name, n, data } of steps) {
            actions[name]?.(ring, model, n, data);
            expect({
              capacity: ring.capacity,
              available: ring.available,
              space: ring.space,
              isEmpty: ring.isEmpty,
              isFull: ring.isFull,
            }).toEqual({
              capacity: model.capacity,
              available: model.bytes.length,
              space: model.space,
              isEmpty: model.bytes.length === 0,
              isFull: model.space === 0,
            });
          }
          expect([...ring.peek()]).toEqual(model.bytes);
          arena?.dispose();
        },
      ),
      { numRuns: 500 },
    );
  });

  it('keeps its content in order when it grows while it goes round', () => {
    const ring = wrapped(makeArena());
    ring.reserve(100);
    expect(ring.capacity).toBe(107);
    expect(ring.space).toBe(100);
    expect(String(ring.read())).toBe('abcdefg');
  });

  it('doubles where that is enough', () => {
    const ring = wrapped(makeArena());
    ring.reserve(2);
    expect(ring.capacity).toBe(16);
    ring.reserve(9);
    expect(ring.capacity).toBe(16);
  });

  it('shows its content in two pieces where it goes round', () => {
    const ring = wrapped(makeArena());
    expect(String(ring.readView())).toBe('abcd');
    ring.consume(4);
    expect(String(ring.readView())).toBe('efg');
    ring.consume(3);
    expect(ring.readView().length).toBe(0);
  });

  it('takes text, and cuts it where it is full', () => {
    const ring = new RingBuffer(3, { arena: makeArena() });
    expect(ring.write('äö')).toBe(3);
    expect(ring.read()).toEqual(Buffer.from('äö').subarray(0, 3));
  });

  it('refuses to consume or commit what is not there, and stays as it was', () => {
    const ring = wrapped(makeArena());
    for (const call of [() => ring.consume(8), () => ring.commit(2), () => ring.consume(-1)]) {
      expect(thrownBy(call)).toMatchObject({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
    }
    expect(String(ring.read())).toBe('abcdefg');
  });

  it('refuses to grow beyond the limit, and stays as it was', () => {
    const ring = wrapped(makeArena());
    const error = thrownBy(() => ring.reserve(2 ** 31));
    expect(error).toMatchObject({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
    expect(error.message).toContain('"space"');
    expect(ring.capacity).toBe(8);
    expect(String(ring.read())).toBe('abcdefg');
  });

  it('leaves zeros where its content was when it grows', () => {
    const ring = new RingBuffer(8, { arena: makeArena() });
    ring.write('secret');
    const old = ring.readView();
    ring.reserve(100);
    expect([...old]).toEqual([0, 0, 0, 0, 0, 0]);
  });
});

describe('a ring buffer whose arena was cleared', () => {
  it('throws instead of reading or writing nothing', () => {
    const arena = new Arena();
    const ring = wrapped(arena);
    arena.clear();
    const calls = [
      () => ring.write('x'),
      () => ring.read(),
      () => ring.peek(1),
      () => ring.read(new Uint8Array(1)),
      () => ring.readView(),
      () => ring.writeView(),
      () => ring.commit(0),
      () => ring.reserve(1),
    ];
    for (const call of calls) {
      const expected = { name: 'ArenaError', code: 'ERR_SOCK_BUFFER_DETACHED' };
      expect(thrownBy(call)).toMatchObject(expected);
    }
  });
});

describe('the memory of a ring buffer', () => {
  it('is zeros at first, whatever its arena had in it', () => {
    const before = new Arena();
    before.alloc(5_000).fill(0xff);
    before.dispose();
    using arena = new Arena();
    expect(new RingBuffer(5_000, { arena }).writeView().every((byte) => byte === 0)).toBe(true);
  });

  it.each([0, -1, 1.5, 2 ** 31, '8'])('cannot be %p bytes', (capacity) => {
    expect(thrownBy(() => new RingBuffer(capacity as number)).message).toContain('"capacity"');
  });

  it('is limited to what an arena gives', () => {
    const size = 100 * 1024 * 1024 + 1;
    const error = thrownBy(() => new RingBuffer(size, { arena: new Arena() }));
    expect(error.message).toContain('"capacity"');
  });
});
