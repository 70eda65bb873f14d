import { thrownBy } from '@sock/testing';
import { defaultTimeouts, setDefaultTimeouts, withTimeouts } from './timeouts.js';

describe('timeouts', () => {
  it('are 30 s to connect, 5 s to look up, and none for the rest', () => {
    expect(defaultTimeouts()).toEqual({
      connectTimeout: 30_000,
      dnsTimeout: 5_000,
      operationTimeout: Number.POSITIVE_INFINITY,
    });
  });

  it('change where they are given, and nowhere else', () => {
    const base = defaultTimeouts();
    const changed = withTimeouts(base, { dnsTimeout: 7, operationTimeout: undefined });
    expect(changed).toEqual({ ...base, dnsTimeout: 7 });
    expect(base.dnsTimeout).toBe(5_000);
    expect(Object.isFrozen(changed)).toBe(true);
  });

  it('have defaults that can be changed', () => {
    const before = defaultTimeouts();
    setDefaultTimeouts({ connectTimeout: 5 });
    expect(defaultTimeouts()).toEqual({ ...before, connectTimeout: 5 });
    setDefaultTimeouts(before);
    expect(defaultTimeouts()).toEqual(before);
  });

  it.each([0, -1, Number.NaN, 2 ** 31])('are never %p, which would be no limit to set', (value) => {
    const before = defaultTimeouts();
    const error = thrownBy(() => setDefaultTimeouts({ connectTimeout: value }));
    expect(error).toMatchObject({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
    expect(error.message).toContain('"connectTimeout"');
    expect(defaultTimeouts()).toBe(before);
  });

  it('refuse a misspelt one', () => {
    const changes = { connectTimout: 5 } as never;
    expect(thrownBy(() => withTimeouts(defaultTimeouts(), changes)).message).toContain(
      '"timeouts.connectTimout"',
    );
  });
});
