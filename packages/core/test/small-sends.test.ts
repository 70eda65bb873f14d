/** Small sends: they leave together, in order, and never keep the event loop to themselves. */
import { Socket } from '@sock/core';

describe('small sends', () => {
  it('that are awaited one by one let timers run', async () => {
    const [near, far] = Socket.pair();
    const discarding = (async () => {
      const memory = Buffer.alloc(65_536);
      for (;;) await far.recv(memory);
    })().catch(() => {});
    let fired = 0;
    const timer = setInterval(() => fired++, 1);
    let sent = 0;
    while (fired < 3 && sent < 2_000_000) {
      await near.sendAll('never waits for the kernel');
      sent++;
    }
    clearInterval(timer);
    near.close();
    far.close();
    await discarding;
    expect(fired).toBe(3);
  });

  it('behind a full socket arrive in order, together with what is large', async () => {
    const [near, far] = Socket.pair();
    const sends: Promise<void>[] = [near.sendAll(Buffer.alloc(1_000_000, 'L'))];
    for (let i = 0; i < 10_000; i++) sends.push(near.sendAll(`${i};`));
    sends.push(near.sendAll(Buffer.alloc(300_000, 'M')), near.sendAll('end'));
    const expected = `${Array.from({ length: 10_000 }, (_, i) => `${i};`).join('')}`;
    const large = await far.recvAll(1_000_000);
    expect(large.equals(Buffer.alloc(1_000_000, 'L'))).toBe(true);
    expect(String(await far.recvAll(expected.length))).toBe(expected);
    await far.recvAll(300_000);
    expect(String(await far.recvAll(3))).toBe('end');
    await Promise.all(sends);
    expect(near.sendQueueBytes).toBe(0);
    near.close();
    far.close();
  });

  it('behind a full socket are refused once the queue is full', async () => {
    const [near, far] = Socket.pair();
    near.sendQueueMax = 1_000;
    const first = near.sendAll(Buffer.alloc(1_000_000));
    await expect(near.sendAll('small')).rejects.toMatchObject({ code: 'ERR_SOCK_QUEUE_FULL' });
    await far.recvAll(1_000_000);
    await first;
    await near.sendAll('small');
    expect(String(await far.recvAll(5))).toBe('small');
    near.close();
    far.close();
  });
});

describe('sends of a seqpacket socket', () => {
  it('stay messages of their own, in one turn and behind a full socket', async () => {
    const [near, far] = Socket.pair('seqpacket');
    const turn = ['one', 'two', 'three'].map((message) => near.sendAll(message));
    for (const message of ['one', 'two', 'three']) expect(String(await far.recv())).toBe(message);
    await Promise.all(turn);

    const large = Buffer.alloc(50_000);
    const queued: Promise<void>[] = [];
    while (near.sendQueueBytes < 200_000) queued.push(near.sendAll(large));
    queued.push(near.sendAll('four'), near.sendAll('five'));
    for (let i = 0; i < queued.length - 2; i++) expect((await far.recv()).length).toBe(50_000);
    expect(String(await far.recv())).toBe('four');
    expect(String(await far.recv())).toBe('five');
    await Promise.all(queued);
    near.close();
    far.close();
  });
});
