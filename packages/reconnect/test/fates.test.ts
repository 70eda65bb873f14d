/** Messages through connections that break at any byte: none twice, none out of order or mixed. */
import type { Socket } from '@sock/core';
import { type Random, seeded, turns, until } from '@sock/testing';
import { closeRigs, makeRig } from './rig.js';

afterEach(closeRigs);

const headerBytes = 8;

function message(id: number, length: number): Buffer {
  const bytes = Buffer.alloc(headerBytes + length, id & 0xff);
  bytes.writeUInt32BE(id, 0);
  bytes.writeUInt32BE(length, 4);
  return bytes;
}

/**
 * The ids of the messages that came whole; what is left at the end must be the beginning of one.
 */
function whole(received: Buffer): number[] {
  const ids: number[] = [];
  let at = 0;
  while (received.length - at >= headerBytes) {
    const id = received.readUInt32BE(at);
    const length = received.readUInt32BE(at + 4);
    const expected = message(id, length);
    const found = received.subarray(at, at + expected.length);
    expect(found.equals(expected.subarray(0, found.length))).toBe(true);
    if (found.length < expected.length) break;
    ids.push(id);
    at += expected.length;
  }
  return ids;
}

interface Fate {
  readonly id: number;
  outcome: 'pending' | 'sent' | 'cut' | 'refused';
}

async function play(random: Random): Promise<void> {
  const rig = makeRig({
    delivery: 'buffer',
    bufferMax: 4 * 1024 * 1024,
    initialDelay: 1,
    maxDelay: 1,
    maxAttempts: Number.POSITIVE_INFINITY,
    circuitFailureThreshold: Number.POSITIVE_INFINITY,
  });
  const { link, clock } = rig;
  const received: Buffer[][] = [];
  const fates: Fate[] = [];
  let peer: Socket | null = null;

  const read = async (): Promise<boolean> => {
    await turns(2);
    const chunk = peer?.tryRecv() ?? null;
    if (chunk !== null) received.at(-1)?.push(chunk);
    return chunk !== null;
  };
  const send = (): void => {
    const id = fates.length + 1;
    const fate: Fate = { id, outcome: 'pending' };
    fates.push(fate);
    const length = random.oneIn(4) ? random.integer(0, 400_000) : random.integer(0, 100);
    link.sendAll(message(id, length)).then(
      () => {
        fate.outcome = 'sent';
      },
      (error: { bytesTransferred: number; code: string }) => {
        fate.outcome = error.bytesTransferred > 0 ? 'cut' : 'refused';
        // Without a byte gone, only a full buffer is a reason.
        if (fate.outcome === 'refused') expect(error.code).toBe('ERR_SOCK_QUEUE_FULL');
      },
    );
  };
  const comeBack = async (): Promise<void> => {
    if (peer !== null) return;
    await clock.advance(1);
    peer = await rig.trial().succeed();
    received.push([]);
  };
  const hangUp = async (): Promise<void> => {
    if (peer === null) return;
    peer.close();
    peer = null;
    // One that waits for room notices at once; else the poll for hang-ups does.
    await until(5_000, () => !link.isConnected);
    await turns(2);
  };

  link.connect();
  for (let step = 0; step < 80; step++) {
    const action = random.integer(0, 9);
    if (action <= 4) send();
    else if (action <= 6) await read();
    else if (action <= 8) await comeBack();
    else await hangUp();
  }
  await comeBack();
  await until(10_000, async () => {
    await read();
    return fates.every(({ outcome }) => outcome !== 'pending');
  });
  while (await read());

  const arrived = received.flatMap((chunks) => whole(Buffer.concat(chunks)));
  expect(arrived).toEqual([...new Set(arrived)].sort((a, b) => a - b));
  const came = new Set(arrived);
  for (const { id, outcome } of fates) {
    if (came.has(id)) expect({ id, outcome }).toEqual({ id, outcome: 'sent' });
  }
  // Whatever the last connection was given has arrived.
  const last = whole(Buffer.concat(received.at(-1) ?? []));
  const firstOfLast = last[0] ?? Number.POSITIVE_INFINITY;
  const sentThere = fates.filter(({ id, outcome }) => id >= firstOfLast && outcome === 'sent');
  expect(last).toEqual(sentThere.map(({ id }) => id));
}

describe('messages through connections that break', () => {
  it(
    'arrive once or not at all, in order, and their senders know which may have',
    seeded(async (random) => {
      for (let run = 0; run < 10; run++) {
        await play(random);
        closeRigs();
      }
    }),
  );
});
