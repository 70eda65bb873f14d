/** What happens to reconnecting sockets: told on node:diagnostics_channel, and counted. */
import { channel } from 'node:diagnostics_channel';
import { count, LineLevel, openLog } from '@sock/native';
import type { ReconnectState } from './reconnect-state.js';

/** A change of state: the message of `sock:reconnect:state`, and of the event `state`. */
export interface ReconnectStateEvent {
  /** When it happened, in milliseconds of `monotonicMs`. */
  readonly time: number;
  /** The host that the socket connects to. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
  /** The state that it left. */
  readonly from: ReconnectState;
  /** The state that it is in. */
  readonly to: ReconnectState;
  /** Attempts since the last success, the one under way included. */
  readonly attempt: number;
  /** What has failed, where that led to the change. */
  readonly error: Error | undefined;
}

// Held here: a channel that nobody holds is collected, and its subscribers with it.
const states = channel('sock:reconnect:state');
const tellLine = openLog('reconnect');

export function tellState(event: ReconnectStateEvent): void {
  const { host, port, from, to, error } = event;
  const level = error === undefined ? LineLevel.Info : LineLevel.Warn;
  tellLine(level, () => `${host}:${port} was ${from} and is ${to}`, error);
  if (states.hasSubscribers) states.publish(event);
}

export function countReconnect(): void {
  count('reconnects');
}
