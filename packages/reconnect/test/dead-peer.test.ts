import { join } from 'node:path';
import { describeWithPeers, openNetwork, runScript } from '@sock/testing';

const server = join(__dirname, 'server.py');
const deadAfterMs = 2_000;
/** Of each kind, so that one that was late for a reason of the machine's does not matter. */
const repeats = 3;

/**
 * In a namespace of its own: connects, waits with peers that live, one kind of which reads nothing,
 * then lets every packet that comes in disappear, and tells how long that took to be noticed.
 */
const script = `
  const { execFileSync } = require('node:child_process');
  const { setTimeout: sleep } = require('node:timers/promises');
  const { ReconnectingSocket } = require('@sock/reconnect');
  const { HOST, ECHO, SILENT } = process.env;
  const policy = { deadAfter: ${deadAfterMs}, healthCheckInterval: Infinity, maxAttempts: 1 };
  const open = async (kind, port) => {
    const link = new ReconnectingSocket(HOST, Number(port), policy);
    const lost = new Promise((resolve) => link.once('lost', ({ error }) => {
      resolve({ kind, code: error.code, atMs: performance.now() });
      link.close();
    }));
    await link.connect();
    link.on('state', () => link.isConnected || link.disconnect());
    return { link, lost };
  };
  const all = [];
  const stalled = [];
  for (let i = 0; i < ${repeats}; i++) {
    for (const kind of ['idle', 'sending', 'sending late', 'receiving']) {
      all.push({ kind, ...(await open(kind, ECHO)) });
    }
    stalled.push(await open('stalled', SILENT));
  }
  for (const { link } of stalled) link.sendAll(Buffer.alloc(32 << 20)).catch(() => {});
  await sleep(${deadAfterMs * 2});
  const survivors = [...all, ...stalled].filter(({ link }) => link.isConnected).length;
  for (const { link } of stalled) link.close();
  const send = async ({ kind, link }) => {
    if (kind === 'receiving') link.recv().catch(() => {});
    if (kind === 'sending late') await sleep(${deadAfterMs * 0.8});
    while (kind.startsWith('sending') && link.isConnected) {
      link.sendAll('x').catch(() => {});
      await sleep(50);
    }
  };
  const startMs = performance.now();
  const nft = (...words) => execFileSync('nft', [words.join(' ')]);
  nft('add table inet hole');
  nft('add chain inet hole input { type filter hook input priority 0; policy drop; }');
  for (const one of all) send(one);
  const cut = all[0].link.sendAll(Buffer.alloc(32 << 20)).catch((error) => error);
  const lost = await Promise.all(all.map(({ lost }) => lost));
  const { name, code, bytesTransferred, bytesAcknowledged } = await cut;
  const told = lost.map(({ kind, code, atMs }) => ({ kind, code, tookMs: atMs - startMs }));
  const fate = { name, code, bytesTransferred, bytesAcknowledged };
  console.log(JSON.stringify({ survivors, told, fate }));
`;

interface Told {
  readonly kind: string;
  readonly code: string;
  readonly tookMs: number;
}

interface Result {
  readonly survivors: number;
  readonly told: readonly Told[];
  /** What the error of a send says that the kernel had taken a part of when the peer vanished. */
  readonly fate: { readonly bytesTransferred: number };
}

const peers = ['network namespaces', 'nft in a namespace', 'python3'];

describeWithPeers(peers, 'a peer that vanishes without a word', () => {
  it('is noticed in time, whether this side sends or is idle; one that lives is not', async () => {
    const { near, far, farAddresses } = await openNetwork();
    const [HOST] = farAddresses;
    const serve = async (role: string) => {
      const { ready } = await far.launch('python3', [server, role, HOST], { ready: /port (\d+)/ });
      return String(ready[1]);
    };
    const env = { HOST, ECHO: await serve('echo'), SILENT: await serve('silent') };
    const { code, stdout, stderr, leakedSockets } = await runScript(script, {
      namespace: near,
      env,
      limitMs: 30_000,
    });
    expect({ code, stderr, leakedSockets }).toEqual({ code: 0, stderr: '', leakedSockets: 0 });
    const { survivors, told, fate } = JSON.parse(stdout) as Result;
    expect(survivors).toBe(5 * repeats);
    expect(told).toHaveLength(4 * repeats);
    const expected = { name: 'SocketClosedError', code: 'ETIMEDOUT', bytesAcknowledged: 0 };
    expect(fate).toMatchObject(expected);
    expect(fate.bytesTransferred).toBeGreaterThan(0);
    for (const kind of ['idle', 'sending', 'sending late', 'receiving']) {
      const those = told.filter((one) => one.kind === kind);
      expect(those.map((one) => one.code)).toEqual(Array(repeats).fill('ETIMEDOUT'));
      const soonestMs = Math.min(...those.map(({ tookMs }) => tookMs));
      expect({ kind, inTime: soonestMs <= deadAfterMs + 1_000 }).toEqual({ kind, inTime: true });
      // The last sign of life may have been an answer to the kernel, a second before.
      expect(soonestMs).toBeGreaterThan(deadAfterMs - 1_100);
    }
  });
});
