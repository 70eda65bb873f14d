// A loop of our own around SocketPoll and the forms that do not wait: with the event loop running
// on (`wait`), or blocking a worker (`sync`).
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { listen, SocketClosedError } from '@sock/core';
import { PollEvents, SocketPoll } from '@sock/poll';
import { announce, readOptions } from './contender.mjs';

const { Read, Write } = PollEvents;
// What is read of a socket for its event is still in the cache when it is answered: with 1,024 of
// them it is not, and a message costs a tenth more.
const EVENTS_MAX = 64;
const memory = new ArrayBuffer(65536);
const view = new Uint8Array(memory);
const poll = new SocketPoll({ maxEvents: EVENTS_MAX });

/** What the kernel did not take waits, and nothing is read until it has left. */
function send(socket, chunk) {
  const count = socket.trySend(chunk) ?? 0;
  if (count < chunk.length) poll.modify(socket, Write, chunk.slice(count));
  return count === chunk.length;
}

function echo(socket, rest) {
  try {
    if (rest !== undefined) {
      if (send(socket, rest)) poll.modify(socket, Read);
      return;
    }
    const count = socket.tryRecv(view);
    if (count !== null) send(socket, new Uint8Array(memory, 0, count));
  } catch (error) {
    socket.close();
    if (!(error instanceof SocketClosedError)) throw error;
  }
}

function open(accepted) {
  const server = listen({ host: '127.0.0.1', port: 0, backlog: 4096 });
  poll.add(server, Read);
  const answer = (events) => {
    for (const { socket, data } of events) {
      if (socket !== server) {
        echo(socket, data);
        continue;
      }
      for (let one = server.tryAccept(); one !== null; one = server.tryAccept()) {
        accepted[0]++;
        poll.add(one, Read);
      }
    }
  };
  return { port: server.localPort, answer };
}

if (!isMainThread) {
  const { port, answer } = open(workerData);
  parentPort.postMessage(port);
  for (;;) answer(poll.waitSync());
}

const options = readOptions();
const accepted = new Int32Array(new SharedArrayBuffer(4));
const announceWith = (port) => announce({ port, workers: 1, accepted: () => accepted[0] });
if (options.variant === 'sync') {
  const worker = new Worker(new URL(import.meta.url), { workerData: accepted });
  worker.once('message', announceWith);
} else {
  const { port, answer } = open(accepted);
  announceWith(port);
  for (;;) answer(await poll.wait());
}
