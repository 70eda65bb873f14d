/** Where a contender listens. An abstract name is written as `@name`. */
export type Place = { readonly host: string; readonly port: number } | { readonly path: string };

/** What came of one end of a transfer. */
export interface Transfer {
  readonly bytes: number;
  readonly sha256: string;
  readonly milliseconds: number;
  readonly cpuMs: number;
  /** Of the whole process, since it began. */
  readonly peakMiB: number;
}

/**
 * The work of the demo, which each contender does with its own library. A process of its own is one
 * end of it: it serves, or it asks.
 */
export interface Peer {
  /** Sends back whatever comes. Resolves with the place where it listens. */
  serveEcho(place: Place): Promise<Place>;
  /** Asks on so many connections at once for so long; the number of answers, each compared. */
  askEcho(place: Place, connections: number, milliseconds: number): Promise<number>;
  /** Answers requests of HTTP with the server of node:http. */
  servePages(place: Place): Promise<Place>;
  /** As `askEcho`, for pages, with the client of node:http. */
  askPages(place: Place, connections: number, milliseconds: number): Promise<number>;
  /** Sends so many bytes to the first who connects; `sent` tells what came of it. */
  serveBytes(place: Place, bytes: number): Promise<Place>;
  sent(): Promise<Transfer>;
  /** Reads to the end of the stream, pausing again and again; tells the bytes had so far. */
  readSlowly(place: Place, onBytes: (bytes: number) => void): Promise<Transfer>;
  /** Reads what the first who connects sends, to its end; `collected` tells what it was. */
  collect(place: Place): Promise<Place>;
  collected(): Promise<Transfer>;
  /** Sends the file, and resolves once it and the end of the stream are sent. */
  sendFile(place: Place, path: string): Promise<void>;
  /** Joins each who connects with a connection of its own to the target, until both have ended. */
  serveRelay(place: Place, target: Place): Promise<Place>;
}
