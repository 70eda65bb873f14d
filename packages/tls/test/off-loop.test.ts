import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expectSockets, openSockets, runScript, seeded, turns, useCleanup } from '@sock/testing';
import type { Issued } from '@sock/testing/authority';
import { TlsContext, TlsHandshakeState, type TlsSocket } from '@sock/tls';
import { enableBoth, goodSetting, tcpPair } from './support.js';

/** What the main thread has run so far, in ms (proc_pid_schedstat(5)). */
function cpuMs(): number {
  return Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ')[0]) / 1e6;
}

function signingMs(key: KeyObject, times: number): number {
  const before = cpuMs();
  for (let count = 0; count < times; count++) sign('sha256', Buffer.from('hello'), key);
  return cpuMs() - before;
}

type Ends = [TlsSocket, TlsSocket];

describe('a handshake with an RSA key', () => {
  const { add: closing } = useCleanup();
  let slow: Issued;
  let server: TlsContext;
  let client: TlsContext;

  beforeAll(async () => {
    const { authority } = await goodSetting();
    slow = await authority.issue({ key: 'rsa4096' });
    server = TlsContext.server(slow);
    client = TlsContext.client({ ca: authority.cert });
  });

  /** What handshakes cost this thread, ms. */
  async function costMs(times: number, shake: (ends: Ends) => Promise<unknown>): Promise<number> {
    let sum = 0;
    for (let count = 0; count < times; count++) {
      const ends = enableBoth(await tcpPair(), client, server);
      const before = cpuMs();
      await shake(ends);
      sum += cpuMs() - before;
      for (const end of ends) end.close();
    }
    return sum;
  }

  it('signs elsewhere, but by hand', async () => {
    const atOnce = (ends: Ends) => Promise.all(ends.map((end) => end.handshake()));
    const byHand = async (ends: Ends) => {
      const isOpen = (end: TlsSocket) => end.tryHandshake() !== TlsHandshakeState.Complete;
      while (ends.filter(isOpen).length > 0) await turns(1);
    };
    await costMs(2, atOnce);
    const spentMs = await costMs(20, atOnce);
    const signed = signingMs(createPrivateKey(slow.key), 20);
    expect(spentMs).toBeLessThan((await costMs(20, byHand)) - signed / 2);
  });

  it('moves bytes that came right behind it', async () => {
    const ends = enableBoth(await tcpPair(), client, server);
    const [near, far] = ends;
    ends.forEach(closing);
    const accepting = far.handshake();
    await near.handshake();
    await near.sendAll('early');
    await accepting;
    await far.sendAll((await far.recv()) as Uint8Array);
    expect((await near.recv()).toString()).toBe('early');
  });

  it(
    'may be closed, or given up, at any moment',
    seeded(async (random) => {
      const before = openSockets();
      for (let count = 0; count < 40; count++) {
        const pair = enableBoth(await tcpPair(), client, server);
        const leaving = new AbortController();
        const shaking = pair.map((end) =>
          end.handshake({ signal: leaving.signal }).catch(() => undefined),
        );
        await turns(random.integer(0, 30));
        if (random.oneIn(2)) leaving.abort();
        random.pick(pair).close();
        await turns(random.integer(0, 3));
        for (const end of pair) end.close();
        await Promise.all(shaking);
      }
      await expectSockets(before);
    }),
  );

  it('may be under way when the process ends', async () => {
    const { authority } = await goodSetting();
    const identity = [slow.cert, slow.key, authority.cert];
    const { code, signal, stderr } = await runScript(
      `
      const { connectTls, listenTls, TlsContext } = require('@sock/tls');
      const [cert, key, ca] = JSON.parse(process.env.IDENTITY);
      const listener = listenTls({
        host: '127.0.0.1', context: TlsContext.server({ cert, key }), onError: () => {},
      });
      listener.accept().catch(() => {});
      const context = TlsContext.client({ ca });
      for (let count = 0; count < 20; count++) {
        connectTls({ host: 'localhost', port: listener.localPort, context }).catch(() => {});
      }
      setTimeout(() => process.exit(7), 30);
    `,
      { env: { IDENTITY: JSON.stringify(identity), ASAN_OPTIONS: 'detect_leaks=0' } },
    );
    expect({ code, signal, stderr }).toEqual({ code: 7, signal: null, stderr: '' });
  });
});
