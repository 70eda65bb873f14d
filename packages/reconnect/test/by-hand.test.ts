import { join } from 'node:path';
import { type Server, serve } from '@sock/core';
import { PollEvents, SocketPoll } from '@sock/poll';
import { ReconnectingSocket, type ReconnectPolicy } from '@sock/reconnect';
import { describeWithPeers, failureOf, launch, runScript, turns, until } from '@sock/testing';

const server = join(__dirname, 'server.py');
const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0).reverse()) one.close();
});

function keep<T extends { close(): void }>(one: T): T {
  open.push(one);
  return one;
}

async function echoServer(): Promise<Server> {
  return keep(
    serve({ host: '127.0.0.1' }, async (socket) => {
      for await (const chunk of socket) await socket.sendAll(chunk);
    }),
  );
}

function make(host: string, port: number, policy: ReconnectPolicy = {}) {
  const link = keep(
    new ReconnectingSocket(host, port, { initialDelay: 1, jitter: 0, ...policy }, { byHand: true }),
  );
  const poll = keep(new SocketPoll());
  poll.add(link.pollFd, PollEvents.Read);
  /** As a program without promises would. */
  const step = async (limitMs = 5_000) => {
    const events = await poll.wait(Math.min(limitMs, link.nextTimeoutMs()));
    link.process();
    return events.length;
  };
  const run = async (condition: () => boolean) => {
    while (!condition()) await step();
  };
  return { link, poll, step, run };
}

describe('a reconnecting socket that is driven by hand', () => {
  it.each(['127.0.0.1', 'localhost'])(
    'connects to %s, and says when data is there',
    async (host) => {
      const { localPort } = await echoServer();
      const { link, step, run } = make(host, localPort as number);
      const { pollFd } = link;
      expect(pollFd).toBeGreaterThanOrEqual(0);
      link.connect();
      await run(() => link.isConnected);
      expect(link.trySend('hello')).toBe(5);
      let text = '';
      while (text.length < 5) {
        expect(await step()).toBe(1);
        text += link.tryRecv()?.toString() ?? '';
      }
      expect(text).toBe('hello');
      expect(link.pollFd).toBe(pollFd);
      link.close();
      expect(link.pollFd).toBe(-1);
    },
  );

  it('does nothing by itself', async () => {
    const { localPort } = await echoServer();
    const { link } = make('127.0.0.1', localPort as number);
    link.connect();
    await turns(10);
    expect(link.state).toBe('connecting');
    await until(1_000, () => {
      link.process();
      return link.isConnected;
    });
  });

  it('notices a peer that hangs up, and a refusal, and comes back', async () => {
    const first = await echoServer();
    const port = first.localPort as number;
    const { link, run } = make('127.0.0.1', port, { circuitFailureThreshold: 100 });
    const { pollFd } = link;
    link.connect();
    await run(() => link.isConnected);
    const lost = new Promise((resolve) => link.once('lost', resolve));
    first.close();
    await run(() => link.failures >= 3);
    await lost;
    expect(link.lastError).toMatchObject({ code: 'ECONNREFUSED', port });
    keep(
      serve({ host: '127.0.0.1', port }, async (socket) => {
        await socket.sendAll('back');
        await socket.recv();
      }),
    );
    await run(() => link.isConnected);
    expect(link.pollFd).toBe(pollFd);
    let chunk: Buffer | null = null;
    await run(() => {
      chunk = link.tryRecv();
      return chunk !== null;
    });
    expect(String(chunk)).toBe('back');
  });

  it('tells when time alone has work for it, by its descriptor as well', async () => {
    const { link, poll } = make('127.0.0.1', 1, { initialDelay: 20, multiplier: 1 });
    link.connect();
    await until(1_000, () => {
      link.process();
      return link.state === 'backoff';
    });
    expect(link.nextTimeoutMs()).toBeLessThanOrEqual(20);
    expect(await poll.wait(5_000)).toHaveLength(1);
    expect(link.nextTimeoutMs()).toBe(0);
    link.tick();
    expect(link.attempts).toBe(2);
  });

  it('is silent when there is nothing to do', async () => {
    const { localPort } = await echoServer();
    const { link, run, poll } = make('127.0.0.1', localPort as number);
    link.connect();
    await run(() => link.isConnected);
    link.process();
    expect(poll.tryWait()).toEqual([]);
    link.disconnect();
    link.process();
    expect(poll.tryWait()).toEqual([]);
    expect(await failureOf(link.recv())).toMatchObject({ code: 'ENOTCONN' });
  });
});

describeWithPeers(['python3'], 'a reconnecting socket that is driven by hand', () => {
  it('needs no event loop to a literal address', async () => {
    const args = [server, 'hang-up', '127.0.0.1'];
    const { ready } = await launch('python3', args, { ready: /port (\d+)/ });
    const { stdout, stderr, leakedSockets } = await runScript(
      `
      const { ReconnectingSocket } = require('@sock/reconnect');
      const { PollEvents, SocketPoll } = require('@sock/poll');
      const policy = { initialDelay: 1, circuitFailureThreshold: Infinity };
      const port = Number(process.env.PORT);
      const link = new ReconnectingSocket('127.0.0.1', port, policy, { byHand: true });
      const poll = new SocketPoll();
      poll.add(link.pollFd, PollEvents.Read);
      let text = '';
      let losses = 0;
      let turns = 0;
      setImmediate(() => turns++);
      link.on('lost', () => losses++);
      link.connect();
      while (losses < 3) {
        poll.waitSync(link.nextTimeoutMs());
        link.process();
        if (!link.isConnected) continue;
        try {
          text += link.tryRecv() ?? '';
        } catch (error) {
          text += error.code === 'ERR_SOCK_EOF' ? '.' : '?';
        }
      }
      poll.close();
      link.close();
      console.log(text, turns);
      `,
      { env: { PORT: String(ready[1]) } },
    );
    expect({ stderr, leakedSockets }).toEqual({ stderr: '', leakedSockets: 0 });
    expect(stdout).toMatch(/^(x\.?){3} 0\n$/);
  });
});
