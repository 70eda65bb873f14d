/**
 * The JavaScript half of the reactor: one per thread and copy of this package.
 *
 * Theory of operation. Once per turn of the event loop the addon calls `deliver` with the number of
 * records it wrote; each is handed to the sink that is pinned for its slot. Sinks only settle
 * promises: what user code does about it runs afterwards, as microtasks of that same call, so the
 * records are read before anything can change them. A sink is pinned while it waits, which also
 * keeps the socket behind it from being collected; whoever waits for nothing is not held at all.
 */
import { type Binding, createBinding } from './binding.js';
import { Control, RecordKind } from './constants.js';

/** Who hears of a slot. An event is a hint: it may come late, or for nothing. */
export interface Sink {
  /** `count` bytes lie in `buffer` at `offset`; 0 is the end of the stream, below 0 an errno. */
  onChunk(count: number, buffer: ArrayBuffer | undefined, offset: number): void;
  /** The same, of bytes that lie in the memory that `setMemory` was given for the slot. */
  onFilled(count: number): void;
  onReadable(): void;
  onWritable(): void;
  /** A connection in a slot of its own, or below 0 an errno. */
  onAccepted(slot: number, generation: number): void;
  /** Memory was taken away, which it may be waiting with. */
  onDetached(): void;
}

/** Who hears that a deadline has passed. */
export interface DeadlineSink {
  onDeadline(): void;
}

/** Who hears that a poll which was armed has something. */
export interface PollSink {
  onPollReady(): void;
}

/** Who hears what a lookup found; `gaiCode` is 0, or one of getaddrinfo(3). */
export type LookupSink = (addresses: string[], gaiCode: number, errno: number) => void;

/** Who hears that a task can go on, or is over; `errno` is 0 or below. */
export type TaskSink = (errno: number, syscall: number) => void;

/** Who hears what a request to a ring has brought. */
export interface CompletionSink {
  /**
   * `result` is a count, a slot, or below 0 an errno; `extra` an offset in `buffer`, or the
   * generation of the slot. With `more` the request goes on.
   */
  onCompletion(result: number, extra: number, buffer: ArrayBuffer | undefined, more: boolean): void;
}

/**
 * Says whether who comes from there may come in, before there is a socket of it. It is not to
 * throw, nor to call out: the addon is in the middle of accepting. What can wait it puts off to a
 * microtask, which runs when the turn is over.
 *
 * @param address 4 or 16 bytes in network order, good for this call; none on a Unix socket.
 */
export type Guard = (address: Uint8Array) => boolean;

const sinks: (Sink | undefined)[] = [];
/** Of listeners, by slot. */
const guards: (Guard | undefined)[] = [];
const deadlineSinks: (DeadlineSink | undefined)[] = [];
const freeDeadlineIds: number[] = [];
const lookupSinks = new Map<number, LookupSink>();
const taskSinks = new Map<number, TaskSink>();
const pollSinks = new Map<number, PollSink>();
const completionSinks: (CompletionSink | undefined)[] = [];
const freeRequestKeys: number[] = [];
/** Ids are reused, since answers come in an array by id. */
const freeLookupIds: number[] = [];
let lookupIdCount = 0;
/** The threads of `connect(host)`; others are opened with `binding.openPool`. */
const defaultPool = 0;

export const binding: Binding = createBinding(process.env.SOCK_BACKEND ?? '', deliver, judge);
const { control, records, chunks, answers, guest } = binding;
/** By their size. */
const guests = [0, 4, 16].reduce<Uint8Array[]>((all, size) => {
  all[size] = guest.subarray(0, size);
  return all;
}, []);

function judge(slot: number, size: number): boolean {
  return guards[slot]?.(guests[size] as Uint8Array) !== false;
}

/** From now on who comes to the listener in that slot, where it says so, is the guard's matter. */
export function setGuard(slot: number, guard: Guard | undefined): void {
  guards[slot] = guard;
}

function deliver(count: number): void {
  control[Control.Reading] = 1;
  try {
    read(count);
  } finally {
    control[Control.Reading] = 0;
  }
}

function read(count: number): void {
  for (let at = 0; at < count * 4; at += 4) {
    const subject = records[at] as number;
    const kind = records[at + 1] as number;
    const value = records[at + 2] as number;
    switch (kind & 0xff) {
      case RecordKind.Chunk:
        sinks[subject]?.onChunk(value, chunks[kind >> 8], records[at + 3] as number);
        break;
      case RecordKind.Filled:
        sinks[subject]?.onFilled(value);
        break;
      case RecordKind.Readable:
        sinks[subject]?.onReadable();
        break;
      case RecordKind.Writable:
        sinks[subject]?.onWritable();
        break;
      case RecordKind.Accepted:
        onAccepted(sinks[subject], value, records[at + 3] as number);
        break;
      case RecordKind.Deadline:
        deadlineSinks[subject]?.onDeadline();
        break;
      case RecordKind.LookedUp:
        onLookedUp(subject, value, records[at + 3] as number);
        break;
      case RecordKind.Task:
        taskSinks.get(subject)?.(value, records[at + 3] as number);
        break;
      case RecordKind.PollReady:
        pollSinks.get(subject)?.onPollReady();
        break;
      case RecordKind.Progress:
      case RecordKind.Completed: {
        const more = (kind & 0xff) === RecordKind.Progress;
        const extra = records[at + 3] as number;
        completionSinks[subject]?.onCompletion(value, extra, chunks[kind >> 8], more);
        break;
      }
    }
  }
}

function onAccepted(sink: Sink | undefined, slot: number, generation: number): void {
  if (sink !== undefined) sink.onAccepted(slot, generation);
  else if (slot >= 0) binding.close(slot, generation);
}

function onLookedUp(id: number, gaiCode: number, errno: number): void {
  const addresses = answers[id] ?? [];
  answers[id] = undefined;
  settleLookup(id, addresses, gaiCode, errno);
}

function settleLookup(id: number, addresses: string[], gaiCode: number, errno: number): void {
  const sink = lookupSinks.get(id);
  if (sink === undefined) return;
  forgetLookup(id);
  sink(addresses, gaiCode, errno);
}

function forgetLookup(id: number): void {
  lookupSinks.delete(id);
  freeLookupIds.push(id);
  releaseLoop();
}

/** A lookup that is under way. */
export interface PendingLookup {
  /** Its sink will not be called. */
  giveUp(): void;
  /** The notifier of that number, too, is told when {@link takeLookups} would find the answer. */
  watch(notifier: number): void;
}

function ask(
  pool: number,
  sink: LookupSink,
  submit: (id: number) => boolean,
): PendingLookup | null {
  const id = freeLookupIds.pop() ?? lookupIdCount++;
  if (!submit(id)) {
    freeLookupIds.push(id);
    return null;
  }
  lookupSinks.set(id, sink);
  holdLoop();
  const isPending = (): boolean => lookupSinks.get(id) === sink;
  return {
    giveUp: () => {
      if (!isPending()) return;
      binding.cancelLookup(pool, id);
      forgetLookup(id);
    },
    watch: (notifier) => {
      if (isPending()) binding.watchLookup(pool, id, notifier);
    },
  };
}

/**
 * Looks a name up on the addon's own threads. `family` is a position in `families`, or −1 for any;
 * `flags` are getaddrinfo's. Null when too many lookups are waiting. The sink is a function of this
 * lookup alone.
 */
export function lookup(
  host: string,
  family: number,
  sink: LookupSink,
  pool = defaultPool,
  flags = 0,
): PendingLookup | null {
  return ask(pool, sink, (id) => binding.lookup(pool, id, host, family, flags));
}

/** The same for the name of an address, which comes as the only one of the answer. */
export function lookupName(address: string, sink: LookupSink, pool: number): PendingLookup | null {
  return ask(pool, sink, (id) => binding.lookupName(pool, id, address));
}

/** Calls the sinks of what the pool has answered by now, without waiting for the event loop. */
export function takeLookups(pool: number): void {
  const taken = binding.takeLookups(pool);
  for (let at = 0; at < taken.length; at += 4) {
    const [id, addresses, gaiCode, errno] = taken.slice(at, at + 4);
    settleLookup(id as number, addresses as string[], gaiCode as number, errno as number);
  }
}

/**
 * The poll tells the sink once when there is something, and may do so for nothing. Until then, or
 * {@link disarmPoll}, the sink is kept alive, and so is the event loop, unless told otherwise. 0,
 * or a negative errno.
 */
export function armPoll(id: number, sink: PollSink, keepsLoop = true): number {
  const result = binding.pollArm(id);
  if (result < 0) return result;
  if (keepsLoop && !pollSinks.has(id)) holdLoop();
  pollSinks.set(id, sink);
  return 0;
}

/** Nobody waits for the poll any more. `keepsLoop` as it was armed with. */
export function disarmPoll(id: number, keepsLoop = true): void {
  if (!pollSinks.delete(id)) return;
  binding.pollDisarm(id);
  if (keepsLoop) releaseLoop();
}

/** From now on records of the slot go to the sink, and the sink is kept alive. */
export function pin(slot: number, sink: Sink): void {
  sinks[slot] = sink;
}

export function unpin(slot: number): void {
  sinks[slot] = undefined;
}

let tellingOfDetached = false;

/**
 * Tells all who wait that memory was taken away, once the current task is done: no event may ever
 * come to an operation that waits with it. They are asked one by one, as nobody keeps a list of who
 * waits with what: that would cost every operation, and this happens seldom.
 */
export function tellOfDetached(): void {
  if (tellingOfDetached) return;
  tellingOfDetached = true;
  queueMicrotask(() => {
    tellingOfDetached = false;
    for (const sink of sinks.slice()) sink?.onDetached();
  });
}

/** From now on what is told of the task (of `openFile` or `relay`) goes to the sink. */
export function watchTask(id: number, sink: TaskSink): void {
  taskSinks.set(id, sink);
}

export function forgetTask(id: number): void {
  taskSinks.delete(id);
}

/** One more pending operation keeps the event loop alive. */
export function holdLoop(): void {
  const held = (control[Control.Held] as number) + 1;
  control[Control.Held] = held;
  if (held === 1 && control[Control.LoopHeld] === 0) binding.holdLoop(true);
}

/** One less. Within a turn the addon looks at the count itself when the turn is over. */
export function releaseLoop(): void {
  const held = (control[Control.Held] as number) - 1;
  control[Control.Held] = held;
  if (held === 0 && control[Control.InTurn] === 0) binding.holdLoop(false);
}

/** The key of a request to a ring, whose completions go to the sink, which is kept alive. */
export function takeRequestKey(sink: CompletionSink): number {
  const key = freeRequestKeys.pop() ?? completionSinks.length;
  completionSinks[key] = sink;
  return key;
}

/** Its last completion was seen, or it was never made. */
export function returnRequestKey(key: number): void {
  completionSinks[key] = undefined;
  freeRequestKeys.push(key);
}

export function takeDeadlineId(sink: DeadlineSink): number {
  const id = freeDeadlineIds.pop() ?? deadlineSinks.length;
  deadlineSinks[id] = sink;
  return id;
}

export function returnDeadlineId(id: number): void {
  binding.clearDeadline(id);
  deadlineSinks[id] = undefined;
  freeDeadlineIds.push(id);
}

/** `atMs` on the clock of `binding.now()`. */
export function setDeadline(id: number, atMs: number): void {
  binding.setDeadline(id, atMs);
}

const nextTurnTasks: (() => void)[] = [];

function runNextTurnTasks(): void {
  control[Control.Turn] = (control[Control.Turn] as number) + 1;
  for (const task of nextTurnTasks.splice(0)) task();
}

/**
 * Runs the task in the next turn of the event loop. What completes without waiting goes through
 * here once its budget is spent, or a busy socket would keep timers and other sockets waiting.
 */
export function runNextTurn(task: () => void): void {
  if (nextTurnTasks.push(task) === 1) setImmediate(runNextTurnTasks);
}
