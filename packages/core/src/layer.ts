/** Streams whose I/O somebody else has. */
import { SocketError } from './errors.js';

/** Who has the endpoint of a stream, and carries other bytes over it. */
export interface Layer {
  /** What the stream's own verbs say from now on. */
  takenError(): SocketError;
  /** The descriptor is about to be closed; it can still be sent on. */
  onClosing(): void;
  /** It was. */
  onClosed(): void;
}

/** What the verbs of a stream say once its I/O was taken over. */
export function takenByAnother(): SocketError {
  const message = 'another has taken over the I/O of this socket';
  return new SocketError(message, { code: 'ERR_SOCK_BUSY' });
}
