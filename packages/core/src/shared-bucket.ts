/**
 * A token bucket in memory that several threads share.
 *
 * Theory of operation. Everything that has to change together is one 64-bit word: the moment when
 * the bucket was empty, in nanoseconds, and the number of the place where its rate and size stand.
 * A change is one compare-and-swap, so there is no lock that a thread could be terminated with. A
 * new rate is written to a place that nobody reads yet, and holds when the word names it. There are
 * 16 places: a thread would have to sleep through 15 changes of the rate, within a handful of
 * instructions, for its place to be taken by another.
 */

import { types } from 'node:util';
import { invalidType, invalidValue } from '@sock/native';
import { Bucket } from './bucket.js';

const word = { Magic: 0, State: 1, NextPlace: 2, OriginMs: 3 } as const;
const placesStart = 4;
const places = 16;
const placeBits = 4n;
const placeMask = (1n << placeBits) - 1n;
const bytes = 8 * (placesStart + 2 * places);
/** "@socklim", so that other memory is not taken for one of these; its last byte is a version. */
const magic = 0x40736f636b6c6901n;
const nsPerMs = 1e6;

export class SharedBucket extends Bucket {
  private readonly words: BigInt64Array;
  private readonly floats: Float64Array;
  /** The word as it was loaded. */
  private state = 0n;

  /** Over memory that {@link share} made. */
  constructor(readonly memory: SharedArrayBuffer) {
    super(1, 1, 0);
    this.words = new BigInt64Array(memory);
    this.floats = new Float64Array(memory);
    this.load();
  }

  /** The same bucket, for several threads from now on. */
  static share(bucket: Bucket, nowMs: number): SharedBucket {
    const memory = new SharedArrayBuffer(bytes);
    const words = new BigInt64Array(memory);
    const floats = new Float64Array(memory);
    const { rate, burst } = bucket;
    words[word.Magic] = magic;
    // Of the time since, nanoseconds fit for 18 years.
    floats[word.OriginMs] = nowMs;
    floats.set([rate, burst], placesStart);
    words[word.NextPlace] = 1n;
    const shared = new SharedBucket(memory);
    shared.store(shared.momentOf(Math.min(burst, bucket.exactly(nowMs)), nowMs));
    return shared;
  }

  override configure(rate: number, burst: number, nowMs: number): void {
    const place = Number(Atomics.add(this.words, word.NextPlace, 1n) & placeMask);
    this.floats.set([rate, burst], placesStart + 2 * place);
    for (;;) {
      this.load();
      const level = Math.min(burst, this.level(nowMs));
      if (this.swap(nowMs - (level * 1000) / rate, place)) return;
    }
  }

  protected override load(): void {
    this.state = Atomics.load(this.words, word.State);
    const at = placesStart + 2 * this.place;
    this.perSecond = this.floats[at] as number;
    this.size = this.floats[at + 1] as number;
    const origin = this.floats[word.OriginMs] as number;
    this.emptyMs = origin + Number(this.state >> placeBits) / nsPerMs;
  }

  protected override store(emptyMs: number): boolean {
    return this.swap(emptyMs, this.place);
  }

  private get place(): number {
    return Number(this.state & placeMask);
  }

  private swap(emptyMs: number, place: number): boolean {
    // Rounded up: several threads together never get more than there was.
    const ns = Math.ceil((emptyMs - (this.floats[word.OriginMs] as number)) * nsPerMs);
    const next = (BigInt(ns) << placeBits) | BigInt(place);
    return Atomics.compareExchange(this.words, word.State, this.state, next) === this.state;
  }
}

/** What `share()` of a limiter gave, here or on another thread. */
export function checkShared(value: unknown): SharedArrayBuffer {
  if (!types.isSharedArrayBuffer(value)) {
    throw invalidType('shared', 'what share() of a RateLimiter returned', value);
  }
  if (value.byteLength !== bytes || new BigInt64Array(value)[word.Magic] !== magic) {
    throw invalidValue('shared', 'must be what share() of a RateLimiter returned', value);
  }
  return value;
}
