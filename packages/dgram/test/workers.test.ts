/** Threads with datagram sockets, which end while operations of every kind are under way. */
import { runScript } from '@sock/testing';

const busy = `
  const { parentPort } = require('node:worker_threads');
  const { DatagramBatch, DatagramSocket } = require('@sock/dgram');
  const ignore = () => {};
  const bound = () => {
    const socket = new DatagramSocket({ family: 'ipv4' });
    socket.bind('127.0.0.1', 0);
    return socket;
  };

  const idle = bound();
  idle.setRecvErrors(true);
  idle.recv().catch(ignore);
  idle.recv(new Uint8Array(10), { timeout: 1_000 }).catch(ignore);
  idle.recvFrom(10, { signal: new AbortController().signal }).catch(ignore);
  idle.recvBatch().catch(ignore);
  idle.recvBatchInto(new DatagramBatch()).catch(ignore);
  idle.recvError().catch(ignore);
  idle[Symbol.asyncIterator]().next().catch(ignore);
  const named = bound();
  named.sendTo('question', 'localhost', idle.localPort).catch(ignore);
  named.sendSegments('question', 2, 'localhost', idle.localPort).catch(ignore);

  const pair = DatagramSocket.pair();
  const [full] = pair;
  while (full.trySend('full') !== null);
  full.send(new Uint8Array(1_000)).catch(ignore);
  full.sendBatch([{ data: 'one' }, { data: 'two' }]).catch(ignore);

  const [near, far] = [bound(), bound()];
  near.tryConnect('127.0.0.1', far.localPort);
  far.tryConnect('127.0.0.1', near.localPort);
  far.setRecvOffload(true);
  const batch = new DatagramBatch();
  const sender = near.createSender();
  const back = async () => {
    for (;;) {
      await far.recvBatchInto(batch);
      await far.sendBatch(batch);
    }
  };
  const there = async () => {
    for (let round = 0; ; round++) {
      sender.send('ping');
      await near.sendSegments('pingpong', 4);
      await near.recv(4, { timeout: 1_000 }).catch(ignore);
      if (round === 5) parentPort.postMessage('busy');
    }
  };
  back().catch(ignore);
  there().catch(ignore);
`;

it('threads may be terminated in the middle of it, many times, and leave nothing', async () => {
  const { code, signal, stdout, stderr, leakedSockets } = await runScript(
    `
    const { readdirSync } = require('node:fs');
    const { Worker } = require('node:worker_threads');
    const openCount = () => readdirSync('/proc/self/fd').length;
    const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    const start = () => new Worker(${JSON.stringify(busy)}, { eval: true });
    const heard = (worker) =>
      new Promise((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
    // Descriptors that are closed by other threads may take a moment.
    const settledCount = async (atMost) => {
      for (let round = 0; round < 200 && openCount() > atMost; round++) await pause(5);
      return openCount();
    };
    // The first one brings threads and descriptors of Node's own, which stay.
    const first = start();
    await heard(first);
    const during = openCount();
    await first.terminate();
    const before = await settledCount(0);
    for (let count = 0; count < 50; count += 2) {
      const [early, late] = [start(), start()];
      await Promise.all([
        // Some have not even loaded by then, some are in the middle of it.
        pause(count * 2).then(() => early.terminate()),
        heard(late).then(() => late.terminate()),
      ]);
    }
    const left = (await settledCount(before)) - before;
    console.log(JSON.stringify({ used: during > before + 5, left }));
  `,
    { limitMs: 60_000 },
  );
  expect({ code, signal, stderr, leakedSockets }).toEqual({
    code: 0,
    signal: null,
    stderr: '',
    leakedSockets: 0,
  });
  expect(JSON.parse(stdout)).toEqual({ used: true, left: 0 });
}, 120_000);
