import type { RaceEvent } from '@sock/dns';

const width = 48;

/** What goes on from one step of a race to another. */
interface Span {
  readonly label: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly end: string;
}

const labels = { ipv6: 'AAAA', ipv4: 'A' } as const;

function endOf({ type, addresses, error }: RaceEvent): string {
  if (type === 'found') return addresses?.length ? `${addresses.length} found` : 'none';
  if (type === 'failed' || type === 'notFound') {
    return (error as NodeJS.ErrnoException | undefined)?.code ?? 'failed';
  }
  return type;
}

/** A lookup ends with its answer, an attempt with its outcome; what does not end goes on. */
function spansOf(trace: readonly RaceEvent[], lastMs: number): Span[] {
  const isBegin = ({ type }: RaceEvent) => type === 'lookup' || type === 'attempt';
  return trace.filter(isBegin).map(({ at, address, family }) => {
    const end = trace.find((event) => {
      if (isBegin(event)) return false;
      return address === undefined
        ? event.address === undefined && event.family === family
        : event.address === address;
    });
    const label = address ?? labels[family];
    if (end === undefined) return { label, fromMs: at, toMs: lastMs, end: 'called off' };
    return { label, fromMs: at, toMs: end.at, end: endOf(end) };
  });
}

/** Draws a race: a row for each lookup and each address, from left to right as time goes by. */
export function timelineOf(trace: readonly RaceEvent[]): string[] {
  const lastMs = Math.max(1, trace.at(-1)?.at ?? 1);
  const spans = spansOf(trace, lastMs);
  const columnOf = (ms: number): number => Math.round((ms / lastMs) * (width - 1));
  const labelWidth = Math.max(...spans.map(({ label }) => label.length));
  const rows = spans.map(({ label, fromMs, toMs, end }) => {
    const from = columnOf(fromMs);
    const bar = `${' '.repeat(from)}├${'─'.repeat(Math.max(0, columnOf(toMs) - from - 1))}`;
    return `  ${label.padEnd(labelWidth)} ${bar.padEnd(width)} ${end}`;
  });
  const last = `${Math.round(lastMs)} ms`;
  return [...rows, `  ${' '.repeat(labelWidth)} 0${last.padStart(width - 1)}`];
}
