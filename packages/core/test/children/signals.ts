/**
 * Moves bytes, waiting in every way, while somebody sends it signals; then says what went wrong.
 */
import { connect, listen, Socket } from '@sock/core';

let signals = 0;
process.on('SIGUSR2', () => {
  signals++;
});

function blocking(): void {
  const [near, far] = Socket.pair();
  const data = Buffer.alloc(1 << 20, 'x');
  for (let round = 0; round < 200; round++) {
    near.sendAllSync('ping');
    if (String(far.recvAllSync(4)) !== 'ping') throw new Error('bytes went wrong');
  }
  far.sendAll(data).catch(() => {});
  if (!near.recvAllSync(64 * 1024).equals(data.subarray(0, 64 * 1024))) {
    throw new Error('many bytes went wrong');
  }
  near.close();
  far.close();
}

/** How long a wait of so many milliseconds takes. */
function blockingWait(timeout: number): number {
  const [near, far] = Socket.pair();
  const start = performance.now();
  try {
    near.recvSync(1, { timeout });
  } catch {
    return performance.now() - start;
  } finally {
    near.close();
    far.close();
  }
  throw new Error('there was nothing to receive');
}

async function asynchronous(): Promise<void> {
  const listener = listen({ host: '127.0.0.1' });
  for (let round = 0; round < 50; round++) {
    const client = new Socket({ family: 'ipv4' });
    client.connectSync('127.0.0.1', listener.localPort as number);
    const server = listener.acceptSync();
    const second = await connect({ host: '127.0.0.1', port: listener.localPort });
    const accepted = await listener.accept();
    await Promise.all([client.sendAll('ping'), accepted.sendAll('pong')]);
    const heard = await Promise.all([server.recvAll(4), second.recvAll(4)]);
    if (heard.join() !== 'ping,pong') throw new Error('bytes went wrong');
    for (const socket of [client, server, second, accepted]) socket.close();
  }
  listener.close();
}

async function main(): Promise<void> {
  console.log('ready');
  const waits = [blockingWait(100)];
  blocking();
  await asynchronous();
  waits.push(blockingWait(100));
  console.log(JSON.stringify({ waits, signals }));
  // As it ends, Node lets go of its signals: the storm must be over by then.
  for await (const _ of process.stdin);
}

void main();
