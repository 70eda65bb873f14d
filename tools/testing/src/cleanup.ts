/** What a test has made, closed behind it. */
import { expectSockets, openSockets } from './descriptors.js';

/** Closes what a test has made, last first. */
export class Cleanup {
  private readonly closers: (() => void)[] = [];

  /** To be closed; returns it. Good without its object, too. */
  readonly add = <T extends { close(): void }>(closeable: T): T => {
    this.closers.push(() => closeable.close());
    return closeable;
  };

  run(): void {
    for (const closer of this.closers.splice(0).reverse()) closer();
  }
}

/** For all tests of a file: what each has made is closed behind it, and no socket is left. */
export function useCleanup(): Cleanup {
  const cleanup = new Cleanup();
  let socketsBefore = 0;
  beforeEach(() => {
    socketsBefore = openSockets();
  });
  afterEach(async () => {
    cleanup.run();
    await expectSockets(socketsBefore);
  });
  return cleanup;
}
