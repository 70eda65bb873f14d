import { monotonicMs } from '@sock/core';
import { binding, checkInteger, checkOptions, checkSetting, checkTime } from '@sock/native';
import { checkLiteral } from './hostname.js';

/** How much an {@link AddressMemory} holds. */
export interface AddressMemoryOptions {
  /** Addresses, 1 to 1,000,000; the one used longest ago goes. Default 1,000. */
  max?: number | undefined;
  /**
   * Milliseconds after which an address is taken for a new one again, however often it worked
   * meanwhile, so that others get their chance: more than 0. Default 600,000; `Infinity`: never.
   */
  ttl?: number | undefined;
}

/**
 * RFC 8305, section 4: not to be used for another interface or on another network, and not for
 * ever, so that those with different memories come to the same in the end.
 */
interface Visit {
  readonly roundTripMs: number;
  readonly untilMs: number;
  /** The address of this machine that it went out from. */
  readonly from: string;
}

/**
 * Which addresses worked lately, and how long they took to answer. Races that share one try what
 * worked before what did not, the faster first, among addresses that RFC 6724 holds for equally
 * good; and begin the next attempt after three round trips instead of a fixed delay, where they
 * know them.
 *
 * An address that fails is forgotten; so is one after a while, and what was learnt while this
 * machine would have reached it from another address of its own: by another interface, or from
 * another network. It is a plain object, with nothing to close.
 *
 * @example
 * ```ts
 * const memory = new AddressMemory();
 * const socket = await connectHappyEyeballs('example.org', 443, { memory });
 * ```
 * @see RFC 8305, sections 4 and 5
 */
export class AddressMemory {
  private readonly max: number;
  private readonly ttlMs: number;
  /** In the order of their last use. */
  private readonly visits = new Map<string, Visit>();

  /**
   * @param options See {@link AddressMemoryOptions}.
   * @throws TypeError, RangeError when an option is wrong.
   */
  constructor(options?: AddressMemoryOptions) {
    const checked = checkOptions<AddressMemoryOptions>(options, ['max', 'ttl']);
    const { max = 1_000, ttl = 600_000 } = checked;
    this.max = checkInteger('options.max', max, 1, 1_000_000);
    this.ttlMs = checkSetting('options.ttl', ttl);
  }

  /** How many addresses are remembered. */
  get size(): number {
    return this.visits.size;
  }

  /**
   * @param address A literal address, in any of its forms.
   * @returns How many milliseconds connecting to it took the last time, or undefined when it is not
   * remembered.
   * @throws TypeError when it is no address.
   */
  roundTrip(address: string): number | undefined {
    return this.visit(checkLiteral(address, 'address').address)?.roundTripMs;
  }

  /**
   * Remembers that an address worked. Races do it by themselves.
   *
   * @param address A literal address, in any of its forms.
   * @param roundTrip How many milliseconds connecting took, 0 or more.
   * @throws TypeError, RangeError when one of them is wrong.
   */
  remember(address: string, roundTrip: number): void {
    const key = checkLiteral(address, 'address').address;
    checkTime('roundTrip', roundTrip, 0);
    const untilMs = this.visit(key)?.untilMs ?? monotonicMs() + this.ttlMs;
    this.visits.delete(key);
    this.visits.set(key, { roundTripMs: roundTrip, untilMs, from: binding.sourceAddress(key) });
    for (const oldest of this.visits.keys()) {
      if (this.visits.size <= this.max) break;
      this.visits.delete(oldest);
    }
  }

  /**
   * Forgets an address, as races do when it fails. One that is not remembered is no error.
   *
   * @param address A literal address, in any of its forms.
   * @throws TypeError when it is no address.
   */
  forget(address: string): void {
    this.visits.delete(checkLiteral(address, 'address').address);
  }

  /** Forgets all of them, as is due when the machine moves to another network. */
  clear(): void {
    this.visits.clear();
  }

  private visit(key: string): Visit | undefined {
    const visit = this.visits.get(key);
    if (visit === undefined) return undefined;
    const isOver = visit.untilMs <= monotonicMs() || visit.from !== binding.sourceAddress(key);
    if (isOver) this.visits.delete(key);
    return isOver ? undefined : visit;
  }
}
