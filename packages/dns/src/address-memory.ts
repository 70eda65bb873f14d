import { checkInteger, checkOptions, checkTime } from '@sock/native';
import { checkLiteral } from './hostname.js';

/** How much an {@link AddressMemory} holds. */
export interface AddressMemoryOptions {
  /** Addresses, 1 to 1,000,000; the one used longest ago goes. Default 1,000. */
  max?: number | undefined;
}

/**
 * Which addresses worked lately, and how long they took to answer. Races that share one try what
 * worked before what did not, the faster first, among addresses that RFC 6724 holds for equally
 * good; and begin the next attempt after three round trips instead of a fixed delay, where they
 * know them.
 *
 * An address that fails is forgotten. It is a plain object: nothing to close, nothing that expires.
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
  /** In the order of their last use. */
  private readonly roundTrips = new Map<string, number>();

  /**
   * @param options See {@link AddressMemoryOptions}.
   * @throws TypeError, RangeError when an option is wrong.
   */
  constructor(options?: AddressMemoryOptions) {
    const { max = 1_000 } = checkOptions<AddressMemoryOptions>(options, ['max']);
    this.max = checkInteger('options.max', max, 1, 1_000_000);
  }

  /** How many addresses are remembered. */
  get size(): number {
    return this.roundTrips.size;
  }

  /**
   * @param address A literal address, in any of its forms.
   * @returns How many milliseconds connecting to it took the last time, or undefined when it is not
   * remembered.
   * @throws TypeError when it is no address.
   */
  roundTrip(address: string): number | undefined {
    return this.roundTrips.get(checkLiteral(address, 'address').address);
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
    this.roundTrips.delete(key);
    this.roundTrips.set(key, roundTrip);
    for (const oldest of this.roundTrips.keys()) {
      if (this.roundTrips.size <= this.max) break;
      this.roundTrips.delete(oldest);
    }
  }

  /**
   * Forgets an address, as races do when it fails. One that is not remembered is no error.
   *
   * @param address A literal address, in any of its forms.
   * @throws TypeError when it is no address.
   */
  forget(address: string): void {
    this.roundTrips.delete(checkLiteral(address, 'address').address);
  }
}
