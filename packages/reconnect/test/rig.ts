/** A reconnecting socket on a clock that tests move, whose attempts end as they say. */
import { Socket, type StreamSocket } from '@sock/core';
import {
  type ConnectFunction,
  ReconnectBudget,
  ReconnectingSocket,
  type ReconnectOptions,
  type ReconnectPolicy,
} from '@sock/reconnect';
import { FakeClock } from '@sock/testing';

/** An attempt under way. */
export interface Trial {
  readonly signal: AbortSignal;
  /** It comes to a connection; this is the peer's end of it. */
  succeed(): Promise<Socket>;
  fail(error?: Error): Promise<void>;
}

export interface Rig {
  readonly clock: FakeClock;
  readonly link: ReconnectingSocket;
  /** `'backoff -> connecting'`, and `'connected'`, `'lost ERR_SOCK_EOF'`. */
  readonly events: string[];
  /** Those that nobody has ended yet. */
  readonly trials: Trial[];
  /** The only attempt under way. */
  trial(): Trial;
  /** Connects, and resolves with the peer's end. */
  connected(): Promise<Socket>;
}

const policyDefaults: ReconnectPolicy = {
  jitter: 0,
  healthCheckInterval: Number.POSITIVE_INFINITY,
  deadAfter: Number.POSITIVE_INFINITY,
};

const rigs: { link: ReconnectingSocket; sockets: Socket[] }[] = [];

/** To be called after each test. */
export function closeRigs(): void {
  for (const { link, sockets } of rigs.splice(0)) {
    link.close();
    for (const socket of sockets) socket.close();
  }
}

export function makeRig(policy: ReconnectPolicy = {}, options: ReconnectOptions = {}): Rig {
  const clock = new FakeClock();
  const events: string[] = [];
  const trials: Trial[] = [];
  const sockets: Socket[] = [];
  const connect: ConnectFunction = (_host, _port, { signal }) =>
    new Promise<StreamSocket>((resolve, reject) => {
      const trial: Trial = {
        signal,
        async succeed() {
          const [near, far] = Socket.pair();
          sockets.push(near, far);
          trials.splice(trials.indexOf(trial), 1);
          resolve(near);
          await clock.advance(0);
          return far;
        },
        async fail(error = new Error('refused')) {
          trials.splice(trials.indexOf(trial), 1);
          reject(error);
          await clock.advance(0);
        },
      };
      trials.push(trial);
    });
  const all = { ...policyDefaults, ...policy };
  const budget = new ReconnectBudget({ burst: 1_000_000 });
  const link = new ReconnectingSocket('x', 1, all, { connect, clock, budget, ...options });
  rigs.push({ link, sockets });
  link.on('state', ({ from, to }) => events.push(`${from} -> ${to}`));
  link.on('connected', () => events.push('connected'));
  link.on('lost', ({ error }) => events.push(`lost ${(error as { code?: string }).code}`));
  const trial = (): Trial => {
    if (trials.length !== 1) throw new Error(`${trials.length} attempts are under way`);
    return trials[0] as Trial;
  };
  const connected = async (): Promise<Socket> => {
    link.connect();
    return trial().succeed();
  };
  return { clock, link, events, trials, trial, connected };
}
