/** What a poll can watch for, and report. */
import { PollError } from '@sock/core';
import { checkInteger, Interest } from '@sock/native';

/**
 * Bit values, to be combined with `|`.
 *
 * `Read` and `Write` can be asked for and reported. `Error` and `Hangup` are reported whether asked
 * for or not, together with the directions that were asked for, since neither would wait any more.
 * `EdgeTriggered` and `OneShot` can only be asked for.
 *
 * @see epoll_ctl(2), poll(2)
 */
export const PollEvents = Object.freeze({
  /** Receiving (or accepting) would not wait: bytes, the end of the stream, an error. */
  Read: 1,
  /** Sending would not wait: there is room, or an error. Also: a connect has come to its end. */
  Write: 2,
  /** There is an error: a connection that failed or was reset, a pipe that nobody reads. */
  Error: 4,
  /**
   * Both directions are over: the peer is gone, or each side has ended the stream. A stream socket
   * that is neither connected nor listening reports it too. That the peer ended its sending alone
   * is `Read`, and the end of the stream.
   */
  Hangup: 8,
  /**
   * Reported once when something new happens, not for as long as it holds: read or write on until
   * it would wait, or nothing further is reported. Not on `'poll'`.
   */
  EdgeTriggered: 16,
  /** Reported once, and then nothing at all, `Error` and `Hangup` included, until `modify()`. */
  OneShot: 32,
});
/** One of the bit values of {@link PollEvents}. */
export type PollEvents = (typeof PollEvents)[keyof typeof PollEvents];

const eventsMax = 63;
const { Read, Write, Error: ErrorEvent, Hangup, EdgeTriggered, OneShot } = PollEvents;
const always = ErrorEvent | Hangup;

/** The name of a backend; which there are depends on the platform. */
export type PollBackend = 'epoll' | 'kqueue' | 'poll';

export function checkEvents(events: unknown, backend: PollBackend): number {
  const checked = checkInteger('events', events, 0, eventsMax);
  if ((checked & EdgeTriggered) !== 0 && backend === 'poll') {
    throw new PollError('poll(2) cannot watch edge-triggered', { code: 'ERR_SOCK_UNSUPPORTED' });
  }
  return checked;
}

/** What the addon has to watch for. One report is the same by edge as by level. */
export function interestOf(events: number): number {
  let interest = events & (Read | Write);
  if ((events & OneShot) !== 0) interest |= Interest.Level | Interest.OneShot;
  else if ((events & EdgeTriggered) === 0) interest |= Interest.Level;
  return interest;
}

/** What is to be reported of what was found. */
export function reportedOf(found: number, events: number): number {
  return found & ((events & (Read | Write)) | always);
}
