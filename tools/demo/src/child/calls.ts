import type { Peer, Place, Transfer } from './peer.js';

/** What a process can be asked for, one call after the other. */
export interface Calls extends Omit<Peer, 'readSlowly'> {
  /** Tells how far it is by {@link Reply}s without a result. */
  readSlowly(place: Place): Promise<Transfer>;
  /** Sums up files by their descriptors alone, until the stream ends; how many there were. */
  sumPassed(place: Place): Promise<number>;
  /** Processor time of the whole process so far, in milliseconds. */
  cpuMs(): Promise<number>;
}

/** From the demo to a process. */
export interface Call {
  readonly name: keyof Calls;
  readonly args: readonly unknown[];
}

/** And back: bytes that came while the call goes on, then what it returned or how it failed. */
export type Reply =
  | { readonly bytes: number }
  | { readonly result: unknown }
  | { readonly error: string };
