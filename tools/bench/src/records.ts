// The lines that servers and the load generator print, checked where they come in.

type Fields = Record<string, unknown>;

function fields(line: unknown): Fields {
  if (typeof line !== 'object' || line === null) {
    throw new TypeError(`not an object: ${String(line)}`);
  }
  return line as Fields;
}

function number(record: Fields, name: string): number {
  const value = record[name];
  if (typeof value !== 'number')
    throw new TypeError(`${name} is missing: ${JSON.stringify(record)}`);
  return value;
}

function optionalNumber(record: Fields, name: string): number | null {
  const value = record[name];
  return typeof value === 'number' ? value : null;
}

export interface Ready {
  readonly port: number;
  readonly pids: readonly number[];
}

export function readReady(line: unknown): Ready {
  const record = fields(line);
  const pids = Array.isArray(record.pids) ? record.pids.map(Number) : [];
  if (pids.length === 0) throw new TypeError(`pids are missing: ${JSON.stringify(record)}`);
  return { port: number(record, 'port'), pids };
}

export interface ServerStats {
  readonly accepted: number;
  /** Turns of the server's event loop since `reset`, where the runtime counts them. */
  readonly wakeups: number | null;
  readonly loopDelayP99Ms: number | null;
}

export function readServerStats(line: unknown): ServerStats {
  const record = fields(line);
  return {
    accepted: number(record, 'accepted'),
    wakeups: optionalNumber(record, 'wakeups'),
    loopDelayP99Ms: optionalNumber(record, 'loopDelayP99Ms'),
  };
}

export interface LoadResult {
  readonly operations: number;
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly errors: number;
  readonly serverCpuSeconds: number;
  /** What the kernel used on a connection; absent on Unix sockets. */
  readonly congestion: string | null;
}

export function readLoadResult(line: unknown): LoadResult {
  const record = fields(line);
  return {
    operations: number(record, 'operations'),
    perSecond: number(record, 'perSecond'),
    p50Us: number(record, 'p50Us'),
    p99Us: number(record, 'p99Us'),
    errors: number(record, 'errors'),
    serverCpuSeconds: number(record, 'serverCpuSeconds'),
    congestion: typeof record.congestion === 'string' ? record.congestion : null,
  };
}

export function readOpen(line: unknown): number {
  return number(fields(line), 'open');
}

/** The load generator's word that its warm-up is over. */
export function readMeasuring(line: unknown): void {
  if (fields(line).phase !== 'measuring') throw new TypeError('the load did not begin to measure');
}

/** What looking names up came to; `value` is in the unit of the work. */
export interface LookupResult {
  readonly value: number;
  readonly perSecond?: number;
  readonly p50Us?: number;
  readonly p99Us?: number;
}

export function readLookupResult(line: unknown): LookupResult {
  const record = fields(line);
  const rest = (['perSecond', 'p50Us', 'p99Us'] as const)
    .map((name) => [name, optionalNumber(record, name)] as const)
    .filter(([, value]) => value !== null);
  return { value: number(record, 'value'), ...Object.fromEntries(rest) };
}
