/** What the tests of polls share. */
import { connect, listen, type Socket } from '@sock/core';
import type { PollEvent } from '@sock/poll';

/** Closes what a test has made, last first. */
export class Cleanup {
  private readonly closers: (() => void)[] = [];

  add<T extends { close(): void }>(closeable: T): T {
    this.closers.push(() => closeable.close());
    return closeable;
  }

  run(): void {
    for (const closer of this.closers.splice(0).reverse()) closer();
  }
}

/** A connected pair over TCP. */
export async function tcpPair(cleanup: Cleanup): Promise<[Socket, Socket]> {
  const listener = cleanup.add(listen({ host: '127.0.0.1' }));
  const port = listener.localPort as number;
  const [near, far] = await Promise.all([connect({ host: '127.0.0.1', port }), listener.accept()]);
  return [cleanup.add(near), cleanup.add(far)];
}

export function bits(events: readonly PollEvent[]): number[] {
  return events.map((event) => event.events);
}
