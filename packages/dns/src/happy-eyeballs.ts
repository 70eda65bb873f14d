import type { Poller, Socket, SocketClosedError } from '@sock/core';
import { checkFunction, checkPort, invalidType } from '@sock/native';
import { Driver } from './driver.js';
import { closeWhenForgotten, notForgotten } from './forgotten.js';
import { HandAttempts } from './hand-attempts.js';
import { checkHost, type Family, type Host } from './hostname.js';
import type { EndLookup } from './race.js';
import {
  checkConfig,
  defaults,
  type HappyEyeballsConfig,
  type HappyEyeballsDefaults,
} from './race-config.js';
import { Resolver } from './resolver.js';
import { literalAddresses, SocketRace } from './socket-race.js';

/** Where a race stands. The last three are final. */
export type HappyEyeballsState = 'resolving' | 'connecting' | 'connected' | 'failed' | 'cancelled';

/** As {@link HappyEyeballsConfig}; the resolver is an argument of its own. */
export type HappyEyeballsStartConfig = Omit<HappyEyeballsConfig, 'resolver'>;

/** `PollEvents.Read` of `@sock/poll`. */
const read = 1;

function checkPoller(value: Poller): Poller {
  if (typeof value !== 'object' || value === null) throw invalidType('poll', 'a Poller', value);
  for (const name of ['add', 'modify', 'remove'] as const) {
    checkFunction(`poll.${name}`, value[name]);
  }
  return value;
}

function checkResolver(value: Resolver): Resolver {
  if (value instanceof Resolver) return value;
  throw invalidType('resolver', 'a Resolver', value);
}

/**
 * A race of {@link connectHappyEyeballs} that is driven by hand, over a poll, without promises.
 * With a resolver of the system engine nothing of it needs the event loop.
 *
 * What it waits for it registers in your poll, with itself as the data of the events, and takes out
 * again. When one of them comes, call {@link process}; the descriptor among them that is readable
 * also says when the next attempt, or a time limit, is due. The winner is not in the poll any more.
 *
 * @example
 * ```ts
 * const race = HappyEyeballs.start(resolver, poll, 'localhost', 80);
 * while (!race.poll()) {
 *   poll.waitSync();
 *   race.process();
 * }
 * const socket = race.result();
 * if (socket === null) throw race.error;
 * ```
 * @see RFC 8305
 */
export class HappyEyeballs implements Disposable {
  /** What an option that is left out is. */
  static readonly defaults: HappyEyeballsDefaults = defaults;
  private readonly driver = new Driver();
  private readonly attempts: HandAttempts;
  private readonly race: SocketRace;
  private ending: 'connected' | 'failed' | 'cancelled' | undefined;
  private winner: Socket | null = null;
  private failure: Error | null = null;
  private isReleased = false;

  private constructor(
    private readonly resolver: Resolver,
    private readonly poller: Poller,
    host: string,
    port: number,
    config: HappyEyeballsStartConfig | undefined,
  ) {
    const target = checkHost(host);
    const checked = checkConfig(config);
    this.attempts = new HandAttempts(this.driver, poller, this, port);
    const ways = {
      clock: this.driver,
      lookUp: this.lookUp.bind(this, target),
      attempt: this.attempts.begin.bind(this.attempts),
    };
    this.race = new SocketRace(ways, host, port, checked);
    this.race.traceOn(this);
  }

  /**
   * Begins a race.
   *
   * @param resolver Looks the name up. With the c-ares engine the answers come by the event loop,
   * which has to run then.
   * @param poll A `SocketPoll` of `@sock/poll`, or anything with its `add`, `modify` and `remove`.
   * It is used until the race is over.
   * @param host A name or literal address, as with {@link Resolver.resolve}.
   * @param port 1 to 65,535.
   * @param config See {@link HappyEyeballsConfig}; without `resolver`. A `signal` cancels.
   * @throws TypeError, RangeError when an argument is wrong; {@link SocketClosedError}
   * (`ERR_SOCK_CLOSED`) when the resolver is closed; `SocketError` (`EMFILE`, …) when there is no
   * descriptor left; what `poll.add` throws.
   */
  static start(
    resolver: Resolver,
    poll: Poller,
    host: string,
    port: number,
    config?: HappyEyeballsStartConfig,
  ): HappyEyeballs {
    checkResolver(resolver);
    checkPoller(poll);
    checkHost(host);
    checkPort(port, 1);
    checkConfig(config, 'by hand');
    const race = new HappyEyeballs(resolver, poll, host, port, config);
    race.begin();
    return race;
  }

  /** `'resolving'` until the first address is tried. */
  get state(): HappyEyeballsState {
    return this.ending ?? (this.race.isConnecting ? 'connecting' : 'resolving');
  }

  /** Why it failed, as {@link connectHappyEyeballs} rejects; null in all other states. */
  get error(): Error | null {
    return this.failure;
  }

  /** Whether it is over: won, failed or cancelled. */
  poll(): boolean {
    return this.ending !== undefined;
  }

  /**
   * Goes on, as far as that is possible without waiting. Needless calls do no harm.
   *
   * @returns The state by then.
   */
  process(): HappyEyeballsState {
    if (this.ending === undefined) {
      this.driver.look(() => {
        this.resolver.collect();
        this.attempts.advance();
      });
    }
    if (this.ending !== undefined) this.release();
    return this.state;
  }

  /** The connected socket, with TCP_NODELAY, which is yours from now on: once; otherwise null. */
  result(): Socket | null {
    const { winner } = this;
    this.winner = null;
    return winner;
  }

  /**
   * Milliseconds until {@link process} has something to do that only time brings about; `Infinity`
   * when there is nothing, or the race is over. It can be waited for so long: the poll wakes up
   * then, too.
   */
  nextTimeoutMs(): number {
    return this.ending === undefined ? this.driver.leftMs : Number.POSITIVE_INFINITY;
  }

  /** Gives up: lookups and attempts are called off. Does nothing once it is over. */
  cancel(): void {
    if (this.ending !== undefined) return;
    this.ending = 'cancelled';
    this.race.cancel();
    this.release();
  }

  /** {@link cancel}, and closes a winner that nobody has taken. Again: does nothing. */
  close(): void {
    this.cancel();
    this.release();
    this.result()?.close();
  }

  /** {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  private begin(): void {
    closeWhenForgotten(this, { what: 'a race', parts: [this.driver] });
    try {
      this.poller.add(this.driver.fd, read, this);
      this.race.run(
        (socket) => this.end('connected', socket, null),
        (error) => this.end(error.name === 'AbortError' ? 'cancelled' : 'failed', null, error),
      );
    } catch (error) {
      this.close();
      throw error;
    }
  }

  private end(
    ending: 'connected' | 'failed' | 'cancelled',
    winner: Socket | null,
    error: Error | null,
  ): void {
    this.ending = ending;
    this.winner = winner;
    this.failure = ending === 'failed' ? error : null;
    // Of an abort, which comes from outside, whoever waits for the poll is told.
    this.driver.notify();
  }

  /** Nothing of it is in the poll any more. */
  private release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    notForgotten(this);
    this.attempts.leavePoll(this.driver.fd);
    this.driver.close();
  }

  /** What is found is always told within `process`, wherever it came from. */
  private lookUp(
    host: Host,
    family: Family,
    found: (addresses: readonly string[]) => void,
    notFound: (error: Error) => void,
  ): EndLookup {
    const { driver } = this;
    let isWanted = true;
    const settle = (addresses: readonly string[] | undefined, error: Error | undefined): void => {
      if (!isWanted) return;
      driver.setTimeout(() => {
        if (!isWanted) return;
        if (addresses !== undefined) found(addresses);
        else if (error !== undefined) notFound(error);
      }, 0);
    };
    const known = literalAddresses(host, family);
    const waiter =
      known === undefined && host.kind === 'name'
        ? this.resolver.lookUpByHand(host, family, driver, settle)
        : settle(known, undefined);
    return (isWon) => {
      isWanted = false;
      waiter?.cancel(new Error('the race is over'), isWon);
    };
  }
}
