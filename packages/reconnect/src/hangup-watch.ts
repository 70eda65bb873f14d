/**
 * Tells when a connection has been hung up, or broken, while nobody receives.
 *
 * Theory of operation. One poll for all connections of the thread, beside the reactor's: what is
 * asked of it says nothing while data comes and goes, so that connections that are in use cost
 * nothing here. It is level-triggered and for once: what was told is not told again. It keeps
 * neither the event loop nor a connection alive, and is there only while it has something to
 * watch.
 */
import { armPoll, binding, Control, disarmPoll, Interest, wordsPerEvent } from '@sock/native';

const onceAtTheEnd = Interest.PeerEnd | Interest.Level | Interest.OneShot;
const eventsMax = 256;

interface Watched {
  readonly fd: number;
  readonly onEnd: () => void;
}

interface Poll {
  readonly id: number;
  readonly words: Int32Array;
}

let poll: Poll | null = null;
/** By the numbers under which the poll knows them. */
const watched = new Map<number, Watched>();
const indexes = new Map<number, number>();
let lastIndex = 0;

const sink = { onPollReady: () => setImmediate(tell) };

/**
 * Null: there is no descriptor left, and loss shows only when the connection is used or checked.
 */
function openPoll(): Poll | null {
  const words = binding.pollCreate(binding.backend, eventsMax);
  if (typeof words === 'number') return null;
  const id = binding.control[Control.Extra] as number;
  if (armPoll(id, sink, false) === 0) return { id, words };
  binding.pollClose(id);
  return null;
}

/** In a turn of its own: what came with the end has been handed out by then. */
function tell(): void {
  if (poll === null) return;
  const { id, words } = poll;
  const count = binding.pollWait(id, 0);
  const ended: (Watched | undefined)[] = [];
  for (let at = 0; at < count * wordsPerEvent; at += wordsPerEvent) {
    ended.push(watched.get(words[at] as number));
  }
  armPoll(id, sink, false);
  for (const one of ended) one?.onEnd();
}

/** Calls the function once when the connection has ended; until {@link unwatchHangup}. */
export function watchHangup(fd: number, onEnd: () => void): void {
  // Who had the number before has closed the descriptor without a word.
  unwatchHangup(fd);
  poll ??= openPoll();
  if (poll === null) return;
  lastIndex = (lastIndex + 1) % 2 ** 30;
  if (binding.pollAdd(poll.id, fd, lastIndex, 0, onceAtTheEnd) < 0) return;
  watched.set(lastIndex, { fd, onEnd });
  indexes.set(fd, lastIndex);
}

/** To be called before the descriptor is closed. */
export function unwatchHangup(fd: number): void {
  const index = indexes.get(fd);
  if (index === undefined || poll === null) return;
  indexes.delete(fd);
  watched.delete(index);
  binding.pollRemove(poll.id, fd, index, 0);
  if (watched.size > 0) return;
  disarmPoll(poll.id, false);
  binding.pollClose(poll.id);
  poll = null;
}
