import type { Acceptor } from './acceptor.js';
import type { Socket } from './socket.js';
import type { Target } from './target.js';

/** What only a socket that is not an accepted one needs; kept apart, since most are. */
export class Setup {
  acceptor: Acceptor<Socket> | null = null;
  /** What a connect that is under way waits for. */
  connector: { close(): void } | null = null;
  /** Where a connect without waiting leads. */
  target: Target | undefined = undefined;
  bound = false;
  /** Options that were set, for the socket that takes the place of one that failed to connect. */
  options: Map<number, number> | null = null;
}
