/**
 * Whether a peer that says nothing is still there.
 *
 * Theory of operation. The kernel asks: by keep-alive probes while the connection is idle, by
 * sending again while something is not acknowledged, by window probes while the peer takes
 * nothing. And it notes when it last heard anything. So it is enough to look at TCP_INFO when that
 * silence may have become too long: about once in `deadAfter`, since with a peer that lives it is
 * never long. Silence counts only if the peer was asked and has had a moment to answer. Window
 * probes come with growing gaps (RFC 9293, 3.8.6.1), and a peer that takes nothing for a while is
 * not dead.
 *
 * That is why TCP_USER_TIMEOUT has no part in this: it ends a connection whose peer answers every
 * window probe (tcp(7)), and counts anew when a send follows an idle time. The kernel's own end of
 * keep-alive is set to come a little later than ours, for threads that are blocked in a receive.
 */
import { binding, SocketOption, tcpFigures } from '@sock/native';

/** How long an answer may be under way; a part of the second within which all is noticed. */
const answerMs = 500;
/** How often an idle peer is asked within `deadAfter`, as far as the kernel's seconds allow. */
const probesPerLimit = 6;
/** What the kernel counts in is up to 10 ms, and a timer is never early enough to matter. */
const stepMs = 10;

const figures = new Float64Array(tcpFigures.length);

function indexOf(name: (typeof tcpFigures)[number]): number {
  return tcpFigures.indexOf(name);
}

const sinceAck = indexOf('sinceAckReceived');
const sinceData = indexOf('sinceDataReceived');
const unacked = indexOf('unacked');
const probes = indexOf('probes');
const bytesAcked = indexOf('bytesAcked');

/** Bytes of data that the peer's kernel has acknowledged; undefined where that is not known. */
export function acknowledgedBytes(fd: number): number | undefined {
  if (fd < 0 || binding.tcpInfoOf(fd, figures) < 0) return undefined;
  const acked = figures[bytesAcked] as number;
  // The SYN of this side counts as one.
  return Number.isNaN(acked) ? undefined : Math.max(0, acked - 1);
}

export class Liveness {
  /** When to look next; Infinity: there is nothing to look at. */
  nextMs: number;
  readonly #fd: number;
  readonly #deadAfterMs: number;
  /** Since when the peer is known to owe an answer. */
  #askedMs = Number.POSITIVE_INFINITY;

  constructor(fd: number, deadAfterMs: number, nowMs: number) {
    this.#fd = fd;
    this.#deadAfterMs = deadAfterMs;
    const isWatched = deadAfterMs !== Number.POSITIVE_INFINITY && keepAlive(fd, deadAfterMs);
    this.nextMs = isWatched ? nowMs + deadAfterMs : Number.POSITIVE_INFINITY;
  }

  /** Looks, if it is time to. True: the peer has been silent for too long. */
  isDead(nowMs: number): boolean {
    if (nowMs < this.nextMs) return false;
    if (binding.tcpInfoOf(this.#fd, figures) < 0) {
      this.nextMs = Number.POSITIVE_INFINITY;
      return false;
    }
    const silentMs = Math.min(figures[sinceAck] as number, figures[sinceData] as number);
    const isAsked = (figures[unacked] as number) > 0 || (figures[probes] as number) > 0;
    const suspectMs = nowMs - silentMs + this.#deadAfterMs;
    if (nowMs < suspectMs || !isAsked) {
      this.#askedMs = Number.POSITIVE_INFINITY;
      this.nextMs = nowMs < suspectMs ? Math.max(suspectMs, nowMs + stepMs) : nowMs + answerMs;
      return false;
    }
    this.#askedMs = Math.min(this.#askedMs, nowMs);
    const deadMs = Math.max(suspectMs, this.#askedMs) + answerMs;
    this.nextMs = Math.max(deadMs, nowMs + stepMs);
    return nowMs >= deadMs;
  }
}

/** Has the kernel ask; false where there is no such thing, since it is not TCP. */
function keepAlive(fd: number, deadAfterMs: number): boolean {
  const idleS = Math.max(1, Math.floor(deadAfterMs / 1000 / probesPerLimit));
  const count = Math.ceil(deadAfterMs / 1000 / idleS) + 1;
  const options: readonly (readonly [number, number])[] = [
    [SocketOption.KeepIdle, idleS],
    [SocketOption.KeepInterval, idleS],
    [SocketOption.KeepCount, count],
    [SocketOption.KeepAlive, 1],
  ];
  return options.every(([option, value]) => binding.setOptionOf(fd, option, value) === 0);
}
