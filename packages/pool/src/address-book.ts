/**
 * Several addresses of one service: connections are spread over them, and those that are down are
 * left alone for a while, which grows with each failure. Where all are down, the one that has been
 * left alone for longest is tried, so that nobody waits for a time to pass.
 */
import { Backoff, type Clock } from '@sock/reconnect';

/** Where a client pool connects to. */
export interface PoolAddress {
  /** A name or a literal address. 1 to 255 characters. */
  host: string;
  /** 1 to 65,535. */
  port: number;
}

/** An address, as a client pool sees it now. */
export interface AddressStats extends Readonly<PoolAddress> {
  /** Connections there, and those that are being made. */
  readonly connections: number;
  /** Whether it is left alone, since connecting to it has failed. */
  readonly isDown: boolean;
}

export class Place {
  connections = 0;
  downUntilMs = Number.NEGATIVE_INFINITY;
  readonly backoff: Backoff;

  constructor(
    readonly host: string,
    readonly port: number,
    random: (() => number) | undefined,
  ) {
    this.backoff = new Backoff({ random });
  }
}

export class AddressBook {
  readonly #places: readonly Place[];
  readonly #clock: Clock;
  /** Where the search begins, so that equals take turns. */
  #turn = 0;

  constructor(
    addresses: readonly Readonly<PoolAddress>[],
    clock: Clock,
    random: (() => number) | undefined,
  ) {
    this.#places = addresses.map(({ host, port }) => new Place(host, port, random));
    this.#clock = clock;
  }

  /** Whether one is not down. */
  get isUp(): boolean {
    return this.#places.some((place) => !this.#isDown(place));
  }

  get stats(): AddressStats[] {
    return this.#places.map((place) => {
      const { host, port, connections } = place;
      return { host, port, connections, isDown: this.#isDown(place) };
    });
  }

  /** Where the next connection goes; not to one that was tried, as long as there is another. */
  choose(tried: ReadonlySet<Place>): Place | null {
    const left = this.#inTurn().filter((place) => !tried.has(place));
    const up = left.filter((place) => !this.#isDown(place));
    const least = (one: Place, other: Place) => other.connections < one.connections;
    const earliest = (one: Place, other: Place) => other.downUntilMs < one.downUntilMs;
    const pick = (places: Place[], isBetter: typeof least) =>
      places.reduce((best, place) => (isBetter(best, place) ? place : best));
    if (up.length > 0) return pick(up, least);
    // One that is down is tried for who asks first, not after another has failed for him.
    return left.length > 0 && tried.size === 0 ? pick(left, earliest) : null;
  }

  succeeded(place: Place): void {
    place.backoff.reset();
    place.downUntilMs = Number.NEGATIVE_INFINITY;
  }

  failed(place: Place): void {
    place.downUntilMs = this.#clock.now() + place.backoff.next();
  }

  #isDown(place: Place): boolean {
    return this.#clock.now() < place.downUntilMs;
  }

  #inTurn(): Place[] {
    const start = this.#turn;
    this.#turn = (start + 1) % this.#places.length;
    return [...this.#places.slice(start), ...this.#places.slice(0, start)];
  }
}
