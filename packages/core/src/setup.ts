import type { Acceptor } from './acceptor.js';
import type { Socket } from './socket.js';
import type { Target } from './target.js';

/** What was chosen for a socket: for the one that may take its place, and for handing it over. */
export class Choices {
  readonly options = new Map<number, number>();
  congestion: string | null = null;
  closeOnExec = true;
  nonBlocking = true;
}

/** What only a socket that is not an accepted one needs; kept apart, since most are. */
export class Setup {
  acceptor: Acceptor<Socket> | null = null;
  /** What a connect that is under way waits for. */
  connector: { close(): void } | null = null;
  /** Where a connect without waiting leads. */
  target: Target | undefined = undefined;
  bound = false;
  choices: Choices | null = null;
}
