/**
 * Counts by network, in memory that several threads share.
 *
 * Theory of operation. A thread may be terminated at any moment, so there is no lock that it could
 * take along, and what it has counted can be taken back. A word of 64 bits says all of one network
 * on one thread: a fingerprint of the network, the thread's number, and how many; 0 is a free word.
 * Each change is one compare-and-swap of one word.
 *
 * A network's words lie in one bucket, chosen by a hash, in any order: what counts is the sum of
 * those with its fingerprint. Who adds does so first, and takes it back when the sum is too high
 * then; of two who come at once both may be refused, never both let in. A bucket that is full
 * refuses. The hash is keyed, by chance, so that nobody can choose addresses that fall together.
 * Fingerprints have 36 bits, of which a bucket compares a handful: that two networks of a bucket
 * are taken for one happens once in some billions.
 */
import { createHash, randomFillSync } from 'node:crypto';
import { types } from 'node:util';
import { invalidType, invalidValue, outOfRange } from '@sock/native';
import type { NetworkCounts } from './local-counts.js';

/** "@sockip" and a version, so that other memory is not taken for one of these. */
const magic = 0x40736f636b697001n;
/** Words at the beginning. */
const word = { Magic: 0, Max: 1, Ipv4Prefix: 2, Ipv6Prefix: 3, Buckets: 4, Key: 6 } as const;
/** Whom the numbers of threads belong to: their ids and 1, so that 0 is nobody. */
const ownersStart = 8;
const threadsMax = 256;
const bucketsStart = ownersStart + threadsMax;
const wordsPerBucket = 64;
/** So that a bucket is a quarter full where all networks are there that were asked for. */
const networksPerBucket = 16;

const countBits = 20n;
const threadBits = 8n;
const countMask = (1n << countBits) - 1n;
const fingerprintShift = countBits + threadBits;
const fingerprintMask = (1n << 36n) - 1n;
/** The most of one network on one thread. */
export const sharedCountMax = Number(countMask);
const unlimited = -1n;

export interface SharedShape {
  readonly max: number;
  readonly ipv4Prefix: number;
  readonly ipv6Prefix: number;
  readonly uniqueMax: number;
}

export function makeSharedCounts(shape: SharedShape): SharedArrayBuffer {
  let buckets = 1;
  while (buckets * networksPerBucket < shape.uniqueMax) buckets *= 2;
  const memory = new SharedArrayBuffer(8 * (bucketsStart + buckets * wordsPerBucket));
  const words = new BigInt64Array(memory);
  words[word.Ipv4Prefix] = BigInt(shape.ipv4Prefix);
  words[word.Ipv6Prefix] = BigInt(shape.ipv6Prefix);
  words[word.Buckets] = BigInt(buckets);
  words[word.Max] = toWord(shape.max);
  const key = randomFillSync(new BigInt64Array(2));
  words.set(key, word.Key);
  words[word.Magic] = magic;
  return memory;
}

/** What `share()` of a tracker gave, here or on another thread. */
export function checkSharedCounts(value: unknown): SharedArrayBuffer {
  if (!types.isSharedArrayBuffer(value)) {
    throw invalidType('shared', 'what share() of an IpTracker returned', value);
  }
  const isOurs =
    value.byteLength > 8 * bucketsStart && new BigInt64Array(value, 0, 1)[word.Magic] === magic;
  if (!isOurs) throw invalidValue('shared', 'must be what share() of an IpTracker returned', value);
  return value;
}

function toWord(max: number): bigint {
  return max === Number.POSITIVE_INFINITY ? unlimited : BigInt(max);
}

/** Where a network is counted. */
interface Place {
  readonly start: number;
  /** As it stands in a word. */
  readonly fingerprint: bigint;
}

export class SharedCounts implements NetworkCounts {
  readonly #words: BigInt64Array;
  readonly #buckets: number;
  readonly #key: Uint8Array;
  readonly #thread: bigint;

  constructor(
    readonly memory: SharedArrayBuffer,
    threadId: number,
  ) {
    this.#words = new BigInt64Array(memory);
    this.#buckets = Number(this.#words[word.Buckets]);
    this.#key = Buffer.from(new Uint8Array(memory, 8 * word.Key, 16));
    this.#thread = BigInt(this.#join(threadId)) << countBits;
  }

  get ipv4Prefix(): number {
    return Number(this.#words[word.Ipv4Prefix]);
  }

  get ipv6Prefix(): number {
    return Number(this.#words[word.Ipv6Prefix]);
  }

  get max(): number {
    const max = Atomics.load(this.#words, word.Max);
    return max === unlimited ? Number.POSITIVE_INFINITY : Number(max);
  }

  set max(max: number) {
    Atomics.store(this.#words, word.Max, toWord(max));
  }

  get total(): number {
    let total = 0;
    for (let at = bucketsStart; at < this.#words.length; at++) total += countOf(this.#load(at));
    return total;
  }

  get unique(): number {
    const seen = new Set<bigint>();
    for (let at = bucketsStart; at < this.#words.length; at++) {
      const value = this.#load(at);
      // Fingerprints are the network's only within a bucket.
      const bucket = BigInt(Math.trunc((at - bucketsStart) / wordsPerBucket));
      if (value !== 0n) seen.add((bucket << 64n) | ((value >> fingerprintShift) & fingerprintMask));
    }
    return seen.size;
  }

  get(key: string): number {
    return this.#sum(this.#placeOf(key));
  }

  hasRoom(key: string): boolean {
    return this.get(key) < this.max;
  }

  add(key: string): boolean {
    const place = this.#placeOf(key);
    const { max } = this;
    if (this.#sum(place) >= max || !this.#change(place, 1n)) return false;
    if (this.#sum(place) <= max) return true;
    this.#change(place, -1n);
    return false;
  }

  subtract(key: string): void {
    this.#change(this.#placeOf(key), -1n);
  }

  clear(): void {
    for (let at = bucketsStart; at < this.#words.length; at++) Atomics.store(this.#words, at, 0n);
  }

  /** What a thread has counted and not taken back. Only once it has ended. */
  forget(threadId: number): void {
    for (let number = 0; number < threadsMax; number++) {
      if (Atomics.load(this.#words, ownersStart + number) !== BigInt(threadId + 1)) continue;
      const thread = BigInt(number) << countBits;
      for (let at = bucketsStart; at < this.#words.length; at++) {
        if (isOf(this.#load(at), thread)) Atomics.store(this.#words, at, 0n);
      }
      Atomics.store(this.#words, ownersStart + number, 0n);
    }
  }

  /** The number of this thread, the same one for all trackers of a thread. */
  #join(threadId: number): number {
    const owner = BigInt(threadId + 1);
    for (let number = 0; number < threadsMax; number++) {
      const found = Atomics.compareExchange(this.#words, ownersStart + number, 0n, owner);
      if (found === 0n || found === owner) return number;
    }
    throw outOfRange('shared', `shared by at most ${threadsMax} threads`, threadId);
  }

  #load(at: number): bigint {
    return Atomics.load(this.#words, at);
  }

  #placeOf(key: string): Place {
    const hash = createHash('sha256').update(this.#key).update(key, 'latin1').digest();
    const bucket = hash.readUInt32LE(0) % this.#buckets;
    return {
      start: bucketsStart + bucket * wordsPerBucket,
      fingerprint: (hash.readBigUInt64LE(8) & fingerprintMask) << fingerprintShift,
    };
  }

  #sum({ start, fingerprint }: Place): number {
    let sum = 0;
    for (let at = start; at < start + wordsPerBucket; at++) {
      const value = this.#load(at);
      if (value !== 0n && isNetwork(value, fingerprint)) sum += countOf(value);
    }
    return sum;
  }

  /** One more or one less on this thread; whether that could be. */
  #change({ start, fingerprint }: Place, by: 1n | -1n): boolean {
    for (;;) {
      const own = this.#find(start, (value) => isOwn(value, fingerprint, this.#thread));
      const at = own < 0 && by > 0n ? this.#find(start, (value) => value === 0n) : own;
      if (at < 0) return false;
      const value = this.#load(at);
      const isHere = own < 0 ? value === 0n : isOwn(value, fingerprint, this.#thread);
      if (!isHere) continue;
      const count = (value & countMask) + by;
      if (count > countMask) return false;
      const next = count === 0n ? 0n : signed(fingerprint | this.#thread | count);
      if (Atomics.compareExchange(this.#words, at, value, next) === value) return true;
    }
  }

  #find(start: number, isWanted: (value: bigint) => boolean): number {
    for (let at = start; at < start + wordsPerBucket; at++) if (isWanted(this.#load(at))) return at;
    return -1;
  }
}

function signed(value: bigint): bigint {
  return BigInt.asIntN(64, value);
}

function countOf(value: bigint): number {
  return Number(value & countMask);
}

function isNetwork(value: bigint, fingerprint: bigint): boolean {
  return ((value >> fingerprintShift) & fingerprintMask) === fingerprint >> fingerprintShift;
}

function isOf(value: bigint, thread: bigint): boolean {
  return value !== 0n && (value & (((1n << threadBits) - 1n) << countBits)) === thread;
}

function isOwn(value: bigint, fingerprint: bigint, thread: bigint): boolean {
  return isOf(value, thread) && isNetwork(value, fingerprint);
}
