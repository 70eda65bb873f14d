/** Where a {@link ReconnectingSocket} stands. */
export const ReconnectState = Object.freeze({
  /** Not connected, and nothing is done about it. */
  Disconnected: 'disconnected',
  /** An attempt is under way. */
  Connecting: 'connecting',
  /** There is a connection. */
  Connected: 'connected',
  /** Waits for its delay to pass before the next attempt. */
  Backoff: 'backoff',
  /** Waits for the circuit to let a probe through. */
  CircuitOpen: 'circuit-open',
});

/** One of the values of {@link ReconnectState}. */
export type ReconnectState = (typeof ReconnectState)[keyof typeof ReconnectState];

const names: ReadonlyMap<unknown, string> = new Map<ReconnectState, string>([
  ['disconnected', 'DISCONNECTED'],
  ['connecting', 'CONNECTING'],
  ['connected', 'CONNECTED'],
  ['backoff', 'BACKOFF'],
  ['circuit-open', 'CIRCUIT_OPEN'],
]);

/** The name of a state, in capitals, for logs; `'UNKNOWN'` for whatever else. */
export function stateName(state: unknown): string {
  return names.get(state) ?? 'UNKNOWN';
}
