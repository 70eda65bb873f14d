/** Real servers that refuse, die, hang, drip and come back. */
import { join } from 'node:path';
import type { Socket } from '@sock/core';
import { connectHappyEyeballs } from '@sock/dns';
import { type LostEvent, ReconnectingSocket, type ReconnectPolicy } from '@sock/reconnect';
import {
  describeWithPeers,
  expectSockets,
  failureOf,
  launch,
  openSockets,
  type Peer,
  until,
} from '@sock/testing';

const server = join(__dirname, 'server.py');
const links: ReconnectingSocket[] = [];
afterEach(() => {
  for (const link of links.splice(0)) link.close();
});

const patient: ReconnectPolicy = {
  initialDelay: 5,
  maxDelay: 20,
  maxAttempts: Number.POSITIVE_INFINITY,
  circuitFailureThreshold: Number.POSITIVE_INFINITY,
};

async function start(role: string, port = 0): Promise<{ peer: Peer; port: number }> {
  const args = [server, role, '127.0.0.1', String(port)];
  const peer = await launch('python3', args, { ready: /port (\d+)/ });
  return { peer, port: Number(peer.ready[1]) };
}

function open(port: number, policy: ReconnectPolicy = patient): ReconnectingSocket {
  const link = new ReconnectingSocket('127.0.0.1', port, policy);
  links.push(link);
  return link;
}

describeWithPeers(['python3'], 'a server', () => {
  it('that refuses is a failure each time, until it is there', async () => {
    const { peer, port } = await start('echo');
    await peer.stop();
    const link = open(port);
    const connected = link.connect();
    await until(5_000, () => link.failures >= 3);
    expect(link.lastError).toMatchObject({ code: 'ECONNREFUSED', port, syscall: 'connect' });
    await start('echo', port);
    await connected;
    await link.sendAll('hello');
    expect((await link.recvAll(5)).toString()).toBe('hello');
  });

  it('that is killed again and again is found again and again', async () => {
    let { peer, port } = await start('echo');
    const link = open(port);
    let losses = 0;
    link.on('lost', () => losses++);
    await link.connect();
    for (let round = 1; round <= 3; round++) {
      await link.sendAll('x');
      expect((await link.recvAll(1)).toString()).toBe('x');
      process.kill(peer.pid, 'SIGKILL');
      await until(5_000, () => losses === round);
      ({ peer } = await start('echo', port));
      await link.connect();
    }
  });

  it('that hangs up at once is met with delays that grow', async () => {
    const { port } = await start('hang-up');
    const delays: number[] = [];
    const link = open(port, { ...patient, initialDelay: 10, jitter: 0, maxDelay: 1_000 });
    link.on('state', ({ to }) => to === 'backoff' && delays.push(link.nextTimeoutMs()));
    link.connect();
    void (async () => {
      for await (const _ of link);
    })();
    await until(5_000, () => Math.max(...delays) >= 20);
    // Told as the time that is left: a busy machine has spent some of it.
    expect(delays[0]).toBeLessThanOrEqual(10);
  });

  it('that hangs is found out by a health check of the application', async () => {
    const { port } = await start('silent');
    const link = open(port, { ...patient, healthCheckInterval: 10, healthCheckTimeout: 20 });
    link.setHealthCheck(async (socket, { signal }) => {
      await socket.sendAll('ping');
      await socket.recv(4, { signal });
      return true;
    });
    await link.connect();
    const { error } = await new Promise<{ error: Error }>((resolve) => link.once('lost', resolve));
    expect(error).toMatchObject({ code: 'ERR_SOCK_UNHEALTHY' });
  });

  it('that drips is read to the last drop of each connection', async () => {
    const { port } = await start('drip');
    const link = open(port);
    const texts: string[] = [''];
    link.on('lost', () => texts.push(''));
    link.connect();
    for await (const chunk of link) {
      texts.push(`${texts.pop()}${chunk}`);
      if (texts.length > 2) break;
    }
    expect(texts.slice(0, 2)).toEqual(['drip by drip', 'drip by drip']);
  });

  it('with a name is raced to by Happy Eyeballs, again and again', async () => {
    const first = await start('echo');
    const options = { connect: connectHappyEyeballs };
    const link = new ReconnectingSocket('localhost', first.port, patient, options);
    links.push(link);
    await link.connect();
    const lost = new Promise((resolve) => link.once('lost', resolve));
    process.kill(first.peer.pid, 'SIGKILL');
    await lost;
    await start('echo', first.port);
    await link.connect();
    await link.sendAll('found again');
    expect((await link.recvAll(11)).toString()).toBe('found again');
  });

  it('that dies tells by its kernel what had arrived', async () => {
    const { peer, port } = await start('silent');
    const link = open(port);
    await link.connect();
    const sending = failureOf(link.sendAll(Buffer.alloc(64 * 1024 * 1024)));
    const socket = link.socket as Socket;
    // Both kernels are full.
    await until(5_000, async () => {
      const before = socket.bytesWritten;
      await new Promise((resolve) => setTimeout(resolve, 20));
      return before > 0 && socket.bytesWritten === before;
    });
    const lost = new Promise<LostEvent>((resolve) => link.once('lost', resolve));
    process.kill(peer.pid, 'SIGKILL');
    const { bytesSent, bytesAcknowledged } = await lost;
    expect(await sending).toMatchObject({ bytesTransferred: bytesSent, bytesAcknowledged });
    expect(bytesAcknowledged).toBeGreaterThan(0);
    expect(bytesAcknowledged).toBeLessThan(bytesSent as number);
  });

  it('whose connections come and go leaves no socket behind', async () => {
    const before = openSockets();
    const { peer, port } = await start('echo');
    const link = open(port);
    await link.connect();
    peer.stop();
    await until(5_000, () => link.failures > 2);
    link.close();
    expect(await failureOf(link.send('x'))).toMatchObject({ code: 'ERR_SOCK_CLOSED' });
    await expectSockets(before);
  });
});
