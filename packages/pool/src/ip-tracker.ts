import { threadId } from 'node:worker_threads';
import { checkInteger, checkOptions } from '@sock/native';
import { LocalCounts, type NetworkCounts } from './local-counts.js';
import { checkIp, countedBytes, networkKey, type PeerAddress } from './network-key.js';
import {
  checkSharedCounts,
  makeSharedCounts,
  SharedCounts,
  sharedCountMax,
} from './shared-counts.js';

/** What counts as one address, and of how many there is room. */
export interface IpTrackerOptions {
  /** IPv4 addresses with so many first bits in common are one: 1 to 32. Default 32. */
  ipv4Prefix?: number | undefined;
  /**
   * The same for IPv6: 1 to 128. Default 64, the smallest network that a subscriber is given, who
   * has all of its addresses (RFC 6177).
   */
  ipv6Prefix?: number | undefined;
  /**
   * The most addresses at a time, an integer from 1 to 1,048,576: those beyond are refused. Default
   * 65,536.
   */
  uniqueMax?: number | undefined;
}

/** What a tracker can be made from instead of numbers. */
class Made {
  static is(value: unknown): value is Made {
    return typeof value === 'object' && value !== null && #made in value;
  }

  readonly #made = true;

  constructor(readonly memory: SharedArrayBuffer) {}
}

const countMax = 2 ** 31 - 1;
const uniqueMaxMax = 2 ** 20;

function checkMax(value: unknown): number {
  return value === Number.POSITIVE_INFINITY ? value : checkInteger('max', value, 1, countMax);
}

/**
 * How many connections each address has, with a limit. Addresses are compared by what they are, not
 * by how they are written: IPv4-mapped ones count as the IPv4 addresses that they stand for, and of
 * IPv6 all that are of one /64 count together.
 *
 * A tracker belongs to its thread; {@link share} gives its counts to others.
 * @example
 * ```ts
 * const tracker = new IpTracker(10);
 * tracker.track('2001:db8::1'); // true
 * tracker.count('2001:db8::2'); // 1
 * ```
 */
export class IpTracker {
  #counts: NetworkCounts;
  readonly #ipv4Prefix: number;
  readonly #ipv6Prefix: number;
  readonly #uniqueMax: number;

  /**
   * @param max The most connections of one address: an integer from 1 to 2^31−1, or `Infinity`, the
   * default, which only counts.
   * @param options What counts as one address.
   * @throws TypeError, RangeError for a wrong argument.
   */
  constructor(max: number = Number.POSITIVE_INFINITY, options?: IpTrackerOptions) {
    const given: unknown = max;
    if (Made.is(given)) {
      const counts = new SharedCounts(given.memory, threadId);
      this.#counts = counts;
      this.#ipv4Prefix = counts.ipv4Prefix;
      this.#ipv6Prefix = counts.ipv6Prefix;
      this.#uniqueMax = uniqueMaxMax;
      return;
    }
    const known = ['ipv4Prefix', 'ipv6Prefix', 'uniqueMax'] as const;
    const checked = checkOptions<IpTrackerOptions>(options, known);
    const { ipv4Prefix = 32, ipv6Prefix = 64, uniqueMax = 65_536 } = checked;
    this.#ipv4Prefix = checkInteger('options.ipv4Prefix', ipv4Prefix, 1, 32);
    this.#ipv6Prefix = checkInteger('options.ipv6Prefix', ipv6Prefix, 1, 128);
    this.#uniqueMax = checkInteger('options.uniqueMax', uniqueMax, 1, uniqueMaxMax);
    this.#counts = new LocalCounts(checkMax(max), uniqueMax);
  }

  /**
   * The tracker that another thread shared: all of them together count as one would.
   *
   * @param shared What {@link share} returned, passed on as `workerData` or in a message.
   * @throws TypeError when it is anything else; RangeError when 256 threads have it already.
   */
  static from(shared: SharedArrayBuffer): IpTracker {
    // Seen from outside, the constructor takes numbers only.
    return new IpTracker(new Made(checkSharedCounts(shared)) as unknown as number);
  }

  /** The most connections of one address. */
  get max(): number {
    return this.#counts.max;
  }

  /**
   * From the next {@link track} on, for all threads that share it; what is counted already stays,
   * and addresses above the limit get no more until they are below it.
   */
  set max(max: number) {
    this.#counts.max = checkMax(max);
  }

  /** Connections that are counted. Where it is shared, this looks through all of the memory. */
  get total(): number {
    return this.#counts.total;
  }

  /** Different addresses among them; as for {@link total}. */
  get uniqueIps(): number {
    return this.#counts.unique;
  }

  /**
   * Counts one more connection of an address, unless it has as many as it may.
   *
   * @param ip A literal address; a zone is left aside. `undefined`, which a peer on a Unix socket
   * has, is not counted.
   * @returns Whether it may connect; then {@link release} takes it back.
   * @throws TypeError when it is no address.
   */
  track(ip: string | undefined): boolean {
    return ip === undefined || this.trackAddress(checkIp('ip', ip));
  }

  /** Counts one less, on the thread that tracked it. An address that has none: nothing happens. */
  release(ip: string | undefined): void {
    if (ip !== undefined) this.releaseAddress(checkIp('ip', ip));
  }

  /**
   * Connections of an address, and of all that count as the same. While other threads that share it
   * track, it may for a moment tell of some that are just being refused.
   */
  count(ip: string | undefined): number {
    return ip === undefined ? 0 : this.countAddress(checkIp('ip', ip));
  }

  /** @internal As {@link track}, of an address that was taken apart already. */
  trackAddress(ip: PeerAddress): boolean {
    return this.#counts.add(this.#keyOf(ip));
  }

  /** @internal */
  releaseAddress(ip: PeerAddress): void {
    this.#counts.subtract(this.#keyOf(ip));
  }

  /** @internal Whether {@link trackAddress} would count it. */
  hasRoomFor(ip: PeerAddress): boolean {
    return this.#counts.hasRoom(this.#keyOf(ip));
  }

  /** @internal */
  countAddress(ip: PeerAddress): number {
    return this.#counts.get(this.#keyOf(ip));
  }

  /** @internal What it counts as, in letters that any store takes. */
  networkOf(ip: PeerAddress): string {
    return Buffer.from(this.#keyOf(ip), 'latin1').toString('hex');
  }

  /** Forgets all connections, those of other threads included. */
  clear(): void {
    this.#counts.clear();
  }

  /**
   * The counts for other threads: hand them to a worker, and make a tracker {@link from} them
   * there. From the first call on they are in shared memory, 32 bytes for each of `uniqueMax`.
   *
   * @returns The same memory each time.
   */
  share(): SharedArrayBuffer {
    const counts = this.#counts;
    if (counts instanceof SharedCounts) return counts.memory;
    const shared = this.#shared();
    for (const [key, count] of (counts as LocalCounts).entries()) {
      for (let left = Math.min(count, sharedCountMax); left > 0; left--) shared.add(key);
    }
    shared.max = counts.max;
    this.#counts = shared;
    return shared.memory;
  }

  /**
   * Takes back what a thread has tracked and not released: call it once a worker has ended, with
   * its `threadId`, since one that was terminated released nothing.
   *
   * @throws TypeError, RangeError for a wrong argument.
   */
  forgetThread(id: number): void {
    checkInteger('id', id, 0, countMax);
    if (this.#counts instanceof SharedCounts) this.#counts.forget(id);
  }

  #shared(): SharedCounts {
    const memory = makeSharedCounts({
      max: Number.POSITIVE_INFINITY,
      ipv4Prefix: this.#ipv4Prefix,
      ipv6Prefix: this.#ipv6Prefix,
      uniqueMax: this.#uniqueMax,
    });
    return new SharedCounts(memory, threadId);
  }

  #keyOf(ip: PeerAddress): string {
    const bytes = countedBytes(ip);
    return networkKey(bytes, bytes.length === 4 ? this.#ipv4Prefix : this.#ipv6Prefix);
  }
}
