/** What polls and the things they watch know of each other, whichever packages they come from. */

/** Who watches a {@link Pollable}: the part of a poll that it calls. */
export interface PollWatcher {
  /** It is about to be closed or given away, and its descriptor with it: once, before that. */
  onClosing(): void;
  /** {@link Pollable.pendingRead} has become true while nobody received. */
  onPendingRead(): void;
}

/** What a poll can watch besides a bare descriptor: sockets of these packages are. */
export interface Pollable {
  /** The descriptor to watch; −1 once closed. */
  readonly fd: number;
  /**
   * True when receiving would bring something although the descriptor may have nothing: bytes that
   * were received already, or decrypted. A poll reports it as readable then.
   */
  pendingRead(): boolean;
  /**
   * A poll begins to watch it. Without this method it is asked {@link Pollable.pendingRead} at
   * every wait, and has to be removed by hand before it is closed.
   *
   * @returns A function that ends this; calling it again does nothing.
   */
  joinPoll?(watcher: PollWatcher): () => void;
}

/**
 * A poll, as far as others drive it: `SocketPoll` of `@sock/poll` is one. Events are bit values of
 * its `PollEvents`, where `Read` is 1 and `Write` is 2.
 */
export interface Poller {
  /** Begins to watch; throws when it is watched already. `data` comes back with its events. */
  add(target: Pollable | number, events: number, data?: unknown): void;
  /** Replaces what is watched for, and the data; throws when it is not watched. */
  modify(target: Pollable | number, events: number, data?: unknown): void;
  /** Watches it no longer; whether it was watched. */
  remove(target: Pollable | number): boolean;
}
