/** Messages: bytes with descriptors and credentials beside them, as callers see them. */
import {
  checkBoolean,
  checkInteger,
  checkOptions,
  invalidType,
  invalidValue,
  MessageKind,
  outOfRange,
  toBytes,
} from '@sock/native';
import type { OperationOptions } from './operation.js';
import type { ReceivedFd } from './received-fd.js';
import type { Data } from './stream-socket.js';
import { isList, lengthOf, toViews } from './vector.js';

/** The kernel's own limit, SCM_MAX_FD. */
const fdsMax = 253;
const idMax = 2 ** 32 - 1;
const pidMax = 2 ** 31 - 1;

/** Who a message says it is from. The kernel has checked it. */
export interface Credentials {
  /** The process id; 0 when it is not visible from this process's namespace. */
  readonly pid: number;
  /** A user id of the process: real, effective or saved. */
  readonly uid: number;
  /** A group id of the process: real, effective or saved. */
  readonly gid: number;
}

/** What has a descriptor: a socket, a received one, a `FileHandle` of Node's. */
export interface HasFd {
  /** Its number: at least 0. */
  readonly fd: number;
}

/** A descriptor to pass: its number, or what has one. */
export type PassableFd = number | HasFd;

/** How a message is sent. */
export interface SendMessageFlags {
  /** The last byte is urgent data (`MSG_OOB`). Default `false`. */
  readonly outOfBand?: boolean | undefined;
}

/** What `sendMsg` sends. */
export interface Message {
  /**
   * Bytes, a string sent as UTF-8, or an array of up to 1024 of them. At least one byte where
   * anything goes beside them, since it goes with the first.
   */
  data: Data | readonly Data[];
  /**
   * Descriptors to pass, at most 253, on Unix sockets only. The receiver gets duplicates; these
   * stay yours, and may be closed as soon as the call has returned.
   */
  fds?: readonly PassableFd[] | undefined;
  /**
   * Who to say this is from, on Unix sockets of Linux only. The kernel refuses (`EPERM`) what is
   * not true of this process, unless it is privileged. The receiver sees them when it has called
   * `setPassCredentials(true)`, and sees this process's own when none are given.
   */
  credentials?: Credentials | undefined;
  /** How to send it. */
  flags?: SendMessageFlags | undefined;
}

/** How a message is received. */
export interface ReceiveMessageFlags {
  /**
   * Leaves the message where it is, for the next receive; descriptors that it brings are then
   * duplicates, to be closed like the others (`MSG_PEEK`). Default `false`.
   */
  readonly peek?: boolean | undefined;
}

/** How a message is received by the form that does not wait. */
export interface TryReceiveMessageFlags extends ReceiveMessageFlags {
  /**
   * The byte of urgent data instead (`MSG_OOB`); nothing while there is none. Not together with
   * `peek`. Default `false`.
   */
  readonly outOfBand?: boolean | undefined;
}

/** Limits and kind of a receive. */
export interface ReceiveMessageOptions extends OperationOptions {
  /** Which message, and what becomes of it. */
  flags?: ReceiveMessageFlags | undefined;
}

/** Kind of a receive that does not wait. */
export interface TryReceiveMessageOptions {
  /** Which message, and what becomes of it. */
  flags?: TryReceiveMessageFlags | undefined;
}

/** What is said of a message. */
export interface MessageFlags {
  /** Only on seqpacket sockets: the message was longer than `size`, and its rest is lost. */
  readonly truncated: boolean;
  /**
   * Descriptors were lost: this process may open no more (`EMFILE`), or the system refused one.
   * Those of the message that had come were closed, so `fds` is empty; the bytes are all there.
   */
  readonly controlTruncated: boolean;
}

/** What `recvMsg` gives. */
export interface ReceivedMessage {
  /** Fresh memory. */
  readonly data: Buffer;
  /** In the sender's order. Each is yours: close it, or take its number. */
  readonly fds: readonly ReceivedFd[];
  /** The sender's, where `setPassCredentials(true)` was called before it sent; else undefined. */
  readonly credentials: Credentials | undefined;
  /** What else there is to say of it. */
  readonly flags: MessageFlags;
}

/** Undefined where there is none, or a proxy that was revoked will not say. */
function readFd(value: object): unknown {
  try {
    return (value as Partial<HasFd>).fd;
  } catch {
    return undefined;
  }
}

function checkFd(value: unknown, index: number): number {
  const name = `message.fds[${index}]`;
  const fd = typeof value === 'object' && value !== null ? readFd(value) : value;
  if (typeof fd !== 'number') throw invalidType(name, 'a number, or an object with an fd', value);
  if (fd === -1 && fd !== value) throw invalidValue(name, 'must be open', value);
  return checkInteger(name, fd, 0, pidMax);
}

function checkFds(value: unknown): Int32Array {
  if (value === undefined) return new Int32Array(0);
  if (!isList(value)) throw invalidType('message.fds', 'an array', value);
  const { length } = value;
  if (length > fdsMax) throw outOfRange('message.fds', `at most ${fdsMax} of them`, length);
  const numbers = new Int32Array(length);
  for (let index = 0; index < length; index++) numbers[index] = checkFd(value[index], index);
  return numbers;
}

function checkCredentials(value: unknown): Float64Array {
  if (value === undefined) return new Float64Array(0);
  const name = 'message.credentials';
  const checked = checkOptions<Credentials>(value, ['pid', 'uid', 'gid'], name);
  return Float64Array.of(
    checkInteger(`${name}.pid`, checked.pid, 0, pidMax),
    checkInteger(`${name}.uid`, checked.uid, 0, idMax),
    checkInteger(`${name}.gid`, checked.gid, 0, idMax),
  );
}

function checkFlag<Name extends string>(value: unknown, flag: Name, name: string): boolean {
  const flags = checkOptions<Record<Name, boolean>>(value, [flag], name);
  return checkBoolean(`${name}.${flag}`, flags[flag] ?? false);
}

/** A message, checked. */
export interface CheckedMessage {
  views: Uint8Array[];
  descriptors: Int32Array;
  credentials: Float64Array;
  outOfBand: boolean;
}

const messageKeys = ['data', 'fds', 'credentials', 'flags'] as const;

export function checkMessage(value: unknown, isUnix: boolean): CheckedMessage {
  if (value === undefined) throw invalidType('message', 'an object', value);
  const { data, ...beside } = checkOptions<Message>(value, messageKeys, 'message');
  const views = isList(data) ? toViews(data, 'message.data') : [toBytes(data, 'message.data')];
  const descriptors = checkFds(beside.fds);
  const credentials = checkCredentials(beside.credentials);
  const outOfBand = checkFlag(beside.flags, 'outOfBand', 'message.flags');
  if (!isUnix && descriptors.length > 0) {
    throw invalidValue('message.fds', 'needs a Unix socket', beside.fds);
  }
  if (!isUnix && credentials.length > 0) {
    throw invalidValue('message.credentials', 'needs a Unix socket', beside.credentials);
  }
  if (lengthOf(views) === 0 && (descriptors.length > 0 || credentials.length > 0 || outOfBand)) {
    const why = 'must have at least one byte, with which descriptors, credentials and flags go';
    throw invalidValue('message.data', why, data);
  }
  return { views: views.filter(({ length }) => length > 0), descriptors, credentials, outOfBand };
}

/** Which message the flags of a form that waits ask for: `MessageKind` of the addon. */
export function checkPeek(flags: unknown): number {
  return checkFlag(flags, 'peek', 'options.flags') ? MessageKind.Peek : MessageKind.Next;
}

/** Which message the flags of the form that only tries ask for. */
export function checkKind(flags: unknown): number {
  const name = 'options.flags';
  const { peek, outOfBand } = checkOptions<TryReceiveMessageFlags>(
    flags,
    ['peek', 'outOfBand'],
    name,
  );
  const isPeek = checkBoolean(`${name}.peek`, peek ?? false);
  if (!checkBoolean(`${name}.outOfBand`, outOfBand ?? false)) {
    return isPeek ? MessageKind.Peek : MessageKind.Next;
  }
  if (isPeek) throw invalidValue(`${name}.peek`, 'cannot go with outOfBand', peek);
  return MessageKind.OutOfBand;
}
