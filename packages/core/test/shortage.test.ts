/** What the kernel refuses, and what it interrupts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type Socket } from '@sock/core';
import { until, within } from '@sock/testing';
import { type Child, runChild, startChild } from './support/child.js';
import { Cleanup } from './support/states.js';

interface Report {
  accepted: number;
  warnings: number;
  cpuMs: number;
}

let cleanup: Cleanup;
beforeEach(() => {
  cleanup = new Cleanup();
});
afterEach(() => cleanup.close());

async function ask(child: Child<unknown>, what: string): Promise<Report> {
  child.process.stdin?.write(`${what}\n`);
  return JSON.parse(await child.line()) as Report;
}

/** Whether the connection was accepted by somebody who echoes. */
async function echoes(socket: Socket): Promise<boolean> {
  await socket.sendAll('x');
  return (await socket.recv(1, { timeout: 1_000 })).length === 1;
}

describe.each(['epoll', 'poll'])('a server that runs out of descriptors, on %s', (backend) => {
  it.each(['iteration', 'accept'])(
    'neither spins nor fails, warns once, serves those it has, and recovers: %s',
    async (way) => {
      const env = { SOCK_BACKEND: backend };
      const child = startChild<Report>('shortage', { args: [way], env, descriptorsMax: 48 });
      const port = Number(await child.line());
      const clients = await Promise.all(
        Array.from({ length: 60 }, async () => {
          return cleanup.add(await connect({ host: '127.0.0.1', port }));
        }),
      );
      await until(5_000, async () => (await ask(child, 'report')).warnings > 0);
      const { accepted } = await ask(child, 'report');
      expect(accepted).toBeGreaterThan(5);
      expect(accepted).toBeLessThan(48);

      await sleep(500);
      const later = await ask(child, 'report');
      expect(later).toMatchObject({ accepted, warnings: 1 });
      expect(later.cpuMs).toBeLessThan(100);
      expect(await echoes(clients[0] as Socket)).toBe(true);

      await until(5_000, async () => (await ask(child, 'release')).accepted === clients.length);
      child.process.stdin?.end();
      expect(await child.ended).toMatchObject({ code: 0, report: { warnings: 1 } });
    },
  );
});

describe.each(['epoll', 'poll'])('signals, on %s', (backend) => {
  it('interrupt no operation, and change no time limit', async () => {
    const child = startChild('signals', { env: { SOCK_BACKEND: backend } });
    await child.line();
    let over = false;
    const storm = (async () => {
      while (!over) {
        for (let i = 0; i < 20; i++) child.process.kill('SIGUSR2');
        await sleep(1);
      }
    })();
    const { waits, signals } = JSON.parse(await child.line()) as {
      waits: number[];
      signals: number;
    };
    over = true;
    await within(1_000, storm, 'the end of the storm');
    child.process.stdin?.end();
    expect(await child.ended).toMatchObject({ code: 0, stderr: '' });
    expect(signals).toBeGreaterThan(5);
    for (const waitMs of waits) {
      expect(waitMs).toBeGreaterThanOrEqual(100);
      expect(waitMs).toBeLessThan(400);
    }
  });
});

it('a process that can open nothing at all says so', async () => {
  const { report } = await runChild<string[]>('no-descriptors', { descriptorsMax: 40 });
  expect(report).toEqual(['EMFILE', 'EMFILE', 'EMFILE', 'EMFILE']);
});
