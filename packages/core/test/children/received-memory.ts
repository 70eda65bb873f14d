/**
 * Receives chunks of several sizes, one by one and all in one turn, and reports what can be read in
 * the memory around them. All bytes that are sent are alike.
 */
import { Socket } from '@sock/core';

const SENT = 0xaa;
/** Copied out; of an odd size, alone and together; and a slab is left with little room in it. */
const SIZES = [1, 4096, 4097, 20_001, 20_001, 20_001, 65_536, 65_536, 65_536, 65_536, 5001];

const memories = new Set<ArrayBufferLike>();
const others = new Set<number>();

function look({ buffer: memory }: Buffer): void {
  memories.add(memory);
  for (const byte of new Uint8Array(memory)) if (byte !== SENT) others.add(byte);
}

async function receiveTogether(): Promise<void> {
  const pairs = SIZES.map(() => Socket.pair());
  const chunks = pairs.map(([near]) => near.recv(65_536));
  for (const [index, [, far]] of pairs.entries()) {
    far.sendSync(Buffer.alloc(SIZES[index] as number, SENT));
  }
  for (const chunk of await Promise.all(chunks)) look(chunk);
  for (const socket of pairs.flat()) socket.close();
}

function receiveEach(): void {
  const [near, far] = Socket.pair();
  for (const size of SIZES) {
    far.sendSync(Buffer.alloc(size, SENT));
    look(near.recvSync(65_536));
  }
  near.close();
  far.close();
}

async function main(): Promise<void> {
  await receiveTogether();
  receiveEach();
  console.log(JSON.stringify({ several: memories.size > 2, others: [...others] }));
}

void main();
