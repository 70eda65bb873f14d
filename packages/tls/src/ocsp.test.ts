import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { FakeClock } from '@sock/testing';
import { type OcspCallback, OcspSource } from './ocsp.js';

const secondMs = 1_000;
const hourMs = 3_600 * secondMs;

/** A source over a clock that stands still, and what its callback gives from now on. */
function open() {
  const clock = new FakeClock();
  /** When responses end; one that is not in here is none. */
  const ends = new Map<Uint8Array, number>();
  const asked: (string | undefined)[] = [];
  const state = { give: (() => null) as OcspCallback, asked };
  const callback: OcspCallback = (hostname) => {
    asked.push(hostname);
    return state.give(hostname);
  };
  const leftS = (response: Uint8Array): number | undefined => {
    const endMs = ends.get(response);
    return endMs === undefined ? undefined : (endMs - clock.now()) / secondMs;
  };
  const source = new OcspSource(callback, { now: () => clock.now(), leftS });
  /** A response that holds for so long. */
  const good = (forMs: number): Uint8Array => {
    const response = Buffer.from([ends.size]);
    ends.set(response, clock.now() + forMs);
    return response;
  };
  return { clock, source, good, state, asked };
}

describe('the responses of a callback', () => {
  it('are shown for half of their time, and then asked for again', async () => {
    const { clock, source, good, state, asked } = open();
    const [first, second] = [good(hourMs), good(3 * hourMs)];
    state.give = () => first;
    expect(source.get('')).toBe(first);
    state.give = () => second;
    await clock.advance(hourMs / 2 - 1);
    expect(source.get('')).toBe(first);
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    expect(source.get('')).toBe(second);
    expect(asked).toHaveLength(2);
  });

  it('are shown for an hour at most, however long they hold', async () => {
    const { clock, source, good, state, asked } = open();
    const response = good(7 * 24 * hourMs);
    state.give = () => response;
    source.get('');
    await clock.advance(hourMs - 1);
    source.get('');
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    source.get('');
    expect(asked).toHaveLength(2);
  });

  it('are shown no longer than they hold, and not at all when that is over', async () => {
    const { clock, source, good, state } = open();
    const short = good(4 * secondMs);
    state.give = () => short;
    expect(source.get('')).toBe(short);
    await clock.advance(4 * secondMs - 1);
    expect(source.get('')).toBe(short);
    await clock.advance(1);
    expect(source.get('')).toBe(null);
  });

  it('are asked for once by all that come meanwhile, and for each certificate', async () => {
    const { source, good, state, asked } = open();
    const response = good(hourMs);
    let give: (response: Uint8Array) => void = () => {};
    state.give = () =>
      new Promise((resolve) => {
        give = resolve;
      });
    const waiting = [source.get(''), source.get(''), source.get('')];
    expect(asked).toEqual([undefined]);
    give(response);
    expect(await Promise.all(waiting)).toEqual([response, response, response]);
    expect(source.get('')).toBe(response);
    state.give = () => null;
    expect(source.get('a.test')).toBe(null);
    expect(asked).toEqual([undefined, 'a.test']);
  });

  it('stay while the responder is away, as long as they hold', async () => {
    const { clock, source, good, state, asked } = open();
    const response = good(60 * secondMs);
    state.give = () => response;
    source.get('');
    state.give = () => Promise.reject(new Error('away'));
    await clock.advance(30 * secondMs);
    expect(await source.get('')).toBe(response);
    // It is not asked by every handshake.
    await clock.advance(10 * secondMs - 1);
    expect(source.get('')).toBe(response);
    expect(asked).toHaveLength(2);
    await clock.advance(1);
    expect(await source.get('')).toBe(response);
    expect(asked).toHaveLength(3);
    await clock.advance(20 * secondMs);
    expect(await source.get('')).toBe(null);
  });

  it.each([
    ['null', () => null, 0],
    ['a rejection', () => Promise.reject(new Error('no')), 1],
    [
      'an error',
      () => {
        throw new Error('no');
      },
      1,
    ],
    ['what is no response', () => Buffer.from('nonsense'), 1],
    ['what is no bytes', () => 'text' as unknown as Uint8Array, 1],
    ['too many bytes', () => Buffer.alloc(65_537), 1],
  ])('are absent for ten seconds after %s', async (_, give, lines) => {
    const { clock, source, good, state, asked } = open();
    const told: unknown[] = [];
    const note = (line: unknown): void => void told.push(line);
    subscribe('sock:tls:log', note);
    state.give = give;
    expect(await source.get('')).toBe(null);
    const response = good(hourMs);
    state.give = () => response;
    await clock.advance(10 * secondMs - 1);
    expect(await source.get('')).toBe(null);
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    expect(source.get('')).toBe(response);
    unsubscribe('sock:tls:log', note);
    expect(told).toHaveLength(lines);
  });
});
