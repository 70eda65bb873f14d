import { failureOf, thrownBy } from '@sock/testing';
import { inOrder, tryEach } from './addresses.js';
import { AbortError, SocketError, TimeoutError } from './errors.js';

const refused = (address: string): SocketError =>
  new SocketError('refused', { code: 'ECONNREFUSED', address });
const forever = Number.POSITIVE_INFINITY;

describe('addresses tried in order', () => {
  it('end with the first that works', async () => {
    const tried: string[] = [];
    const result = await inOrder(['a', 'b', 'c'], forever, 0, async (address) => {
      tried.push(address);
      if (address === 'a') throw refused(address);
      return `reached ${address}`;
    });
    expect(result).toBe('reached b');
    expect(tried).toEqual(['a', 'b']);
  });

  it('give the failure of a lone address as it is', async () => {
    const error = refused('a');
    const failure = failureOf(inOrder(['a'], forever, 0, () => Promise.reject(error)));
    expect(await failure).toBe(error);
    expect(error.cause).toBeUndefined();
  });

  it('give the last failure, with all of them behind it', async () => {
    const attempt = (address: string): Promise<never> => Promise.reject(refused(address));
    const error = await failureOf(inOrder(['a', 'b'], forever, 0, attempt));
    expect(error).toMatchObject({ address: 'b' });
    expect(error.cause).toBeInstanceOf(AggregateError);
    expect((error.cause as AggregateError).errors).toMatchObject([
      { address: 'a' },
      { address: 'b' },
    ]);
  });

  it('stop at an abort', async () => {
    const attempt = jest.fn(() => Promise.reject(new AbortError(AbortSignal.abort())));
    const failure = await failureOf(inOrder(['a', 'b'], forever, 0, attempt));
    expect(failure).toBeInstanceOf(AbortError);
    expect(attempt).toHaveBeenCalledTimes(1);
  });

  it('share the time that is left, and report all of it', async () => {
    const shares: number[] = [];
    const error = await failureOf(
      inOrder(['a', 'b'], 1_000, 400, (address, shareMs) => {
        shares.push(shareMs);
        return Promise.reject(new TimeoutError('connect', shareMs, { address, port: 1 }));
      }),
    );
    expect(shares[0]).toBeGreaterThan(250);
    expect(shares[0]).toBeLessThanOrEqual(300);
    expect(shares[1]).toBeLessThanOrEqual(600);
    expect(error).toMatchObject({ timeout: 1_000, address: 'b', port: 1 });
  });

  it('may be tried by blocking', () => {
    const tried: string[] = [];
    tryEach(['a', 'b'], (address) => {
      tried.push(address);
      if (address === 'a') throw refused(address);
    });
    expect(tried).toEqual(['a', 'b']);
    const error = thrownBy(() =>
      tryEach(['a', 'b'], (address) => {
        throw refused(address);
      }),
    );
    expect((error.cause as AggregateError).errors).toHaveLength(2);
  });
});
