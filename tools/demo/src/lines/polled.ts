/** One loop of our own around a poll, which watches all there is. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { connect, type ListeningSocket, listen, type Socket } from '@sock/core';
import { PollEvents, SocketPoll } from '@sock/poll';
import type { Effort } from '../effort.js';
import type { Line, Outcome, Progress } from '../line.js';
import { number } from '../table.js';

const { Read } = PollEvents;
const lastNumber = 99_999;
const tickMs = 5;

/** What is added with each target is what deals with it. */
type Poll = SocketPoll<ListeningSocket | Socket | number, () => void>;

/** Echoes and asks, with the forms that do not wait. */
class Conversations implements Disposable {
  answers = 0;
  readonly #poll: Poll;
  readonly #listener = listen({ host: '127.0.0.1' });
  readonly #sockets: Socket[] = [];

  constructor(poll: Poll) {
    this.#poll = poll;
    poll.add(this.#listener, Read, () => this.#accept());
  }

  async add(): Promise<void> {
    const client = await connect({ host: '127.0.0.1', port: this.#listener.localPort });
    this.#sockets.push(client);
    const message = Buffer.alloc(64);
    client.trySend(message);
    this.#poll.add(client, Read, () => {
      if (client.tryRecv()?.equals(message) !== true) throw new Error('another answer came back');
      message.writeUInt32LE(++this.answers);
      client.trySend(message);
    });
  }

  #accept(): void {
    for (let one = this.#listener.tryAccept(); one !== null; one = this.#listener.tryAccept()) {
      const accepted = one;
      this.#sockets.push(accepted);
      this.#poll.add(accepted, Read, () => accepted.trySend(accepted.tryRecv() ?? ''));
    }
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const socket of this.#sockets) socket.close();
  }
}

/** A pipe with a name, into which seq(1) counts. */
class Counting implements Disposable {
  readonly exited: Promise<unknown>;
  text = '';
  isOver = false;
  readonly #poll: Poll;
  readonly #fd: number;

  constructor(poll: Poll, path: string) {
    this.#poll = poll;
    execFileSync('mkfifo', [path]);
    this.#fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const theirFd = openSync(path, constants.O_WRONLY);
    const child = spawn('seq', [String(lastNumber)], { stdio: ['ignore', theirFd, 'inherit'] });
    this.exited = once(child, 'exit');
    closeSync(theirFd);
    const memory = Buffer.alloc(4096);
    poll.add(this.#fd, Read, () => this.#read(memory));
  }

  #read(memory: Buffer): void {
    const count = readSync(this.#fd, memory);
    this.text += memory.toString('latin1', 0, count);
    if (count > 0) return;
    this.isOver = true;
    this.#poll.remove(this.#fd);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

async function run(path: string, effort: Effort, progress: Progress): Promise<Outcome> {
  const { connections, roundMs } = effort;
  using poll: Poll = new SocketPoll();
  using conversations = new Conversations(poll);
  for (let count = 0; count < connections; count++) await conversations.add();
  using counting = new Counting(poll, path);
  const startMs = performance.now();
  let ticks = 0;
  let events = 0;
  poll.addRepeatingTimer(tickMs, () =>
    progress.detail(`${++ticks} ticks, ${number(events)} events`),
  );
  const end = poll.addTimer(roundMs, () => {});
  const running = poll.run(({ data: handle }) => {
    handle();
    events++;
    if (counting.isOver && end.remaining < 0) poll.close();
  });
  await Promise.all([running, counting.exited]);
  const tookMs = performance.now() - startMs;
  const expected = Array.from({ length: lastNumber }, (_, index) => `${index + 1}\n`).join('');
  if (counting.text !== expected) throw new Error('the pipe brought something else');
  if (ticks < 1 || tookMs < Math.max(roundMs, ticks * tickMs)) {
    throw new Error(`${ticks} ticks in ${tookMs} ms`);
  }
  const { answers } = conversations;
  const lines = `${number(lastNumber)} lines of the pipe`;
  return {
    figures: [
      { unit: 'events/s, all dealt with', ours: (events * 1000) / tookMs, theirs: undefined },
    ],
    verified: `${number(answers)} answers and ${lines} compared, ${ticks} ticks, none early`,
  };
}

/** Sockets, a pipe and timers in one loop, which node:net leaves to libuv. */
export function polledLine(folder: string, effort: Effort): Line {
  return {
    title: `one poll: TCP × ${effort.connections}, a pipe, timers`,
    obstacle: () => undefined,
    run: (progress) => run(join(folder, 'numbers'), effort, progress),
  };
}
