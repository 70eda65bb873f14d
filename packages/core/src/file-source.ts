/** What names a file to be sent, and which part of it. */
import {
  binding,
  Control,
  checkInteger,
  checkOptions,
  invalidType,
  invalidValue,
  outOfRange,
  syscallNames,
} from '@sock/native';
import { SocketError, systemError } from './errors.js';
import type { OperationOptions } from './operation.js';
import type { SyncOptions } from './stream-socket.js';

/**
 * A regular file: its path, a descriptor, or a `FileHandle` of `node:fs/promises` (anything whose
 * `fd` is a number).
 */
export type SendableFile =
  | string
  | number
  | {
      /** The descriptor. */
      readonly fd: number;
    };

/** Which part of a file is sent. */
export interface FileRangeOptions {
  /**
   * Where in the file to begin: bytes, an integer from 0 to 2^53−1. Default 0, for descriptors too:
   * the position that a descriptor has is neither used nor moved. At or beyond the end of the file
   * there is nothing to send.
   */
  offset?: number | undefined;
  /** How many bytes: an integer from 0 to 2^53−1. Default 0, which is all up to the end. */
  length?: number | undefined;
}

/** Options of the promise forms of `sendFile`. */
export interface SendFileOptions extends FileRangeOptions, OperationOptions {}

/** Options of the forms of `sendFile` that block this thread. */
export interface SendFileSyncOptions extends FileRangeOptions, SyncOptions {}

/** PATH_MAX of limits.h, less its terminator. */
const pathBytesMax = 4095;
const rangeKeys = ['offset', 'length'] as const;

/** A source that was checked. */
export interface FileSource {
  /** Undefined when the file came open. */
  path: string | undefined;
  fd: number;
  /** A FileHandle closes its file when it is collected, and complains of it. */
  holder: object | undefined;
}

/** Infinity for `length` is to the end. */
export interface FileRange {
  offset: number;
  length: number;
}

export function checkSource(value: unknown): FileSource {
  if (typeof value === 'string') {
    if (value === '' || value.includes('\0')) {
      throw invalidValue('source', 'must not be empty and have no NUL', value);
    }
    const bytes = Buffer.byteLength(value);
    if (bytes > pathBytesMax) {
      throw outOfRange('source', `at most ${pathBytesMax} bytes long`, `${bytes} bytes`);
    }
    return { path: value, fd: -1, holder: undefined };
  }
  if (typeof value === 'number') {
    return {
      path: undefined,
      fd: checkInteger('source', value, 0, 2 ** 31 - 1),
      holder: undefined,
    };
  }
  const fd = descriptorOf(value);
  if (fd === undefined) {
    throw invalidType('source', 'a path, a descriptor or a FileHandle', value);
  }
  // A handle that is closed has −1, which the system call says EBADF to.
  return {
    path: undefined,
    fd: checkInteger('source.fd', fd, -1, 2 ** 31 - 1),
    holder: Object(value),
  };
}

function descriptorOf(value: unknown): number | undefined {
  try {
    if (typeof value !== 'object' || value === null) return undefined;
    const { fd } = value as { fd?: unknown };
    return typeof fd === 'number' ? fd : undefined;
  } catch {
    // A proxy that was revoked, or that refuses to tell.
    return undefined;
  }
}

function hasOwnLength(options: object): boolean {
  return Object.hasOwn(options, 'length') || !('length' in options);
}

/** The range, and what is left for whoever checks limits. */
export function checkRange<T extends FileRangeOptions>(
  options: T | undefined,
  others: readonly (keyof T & string)[],
): { range: FileRange; rest: Partial<Omit<T, 'offset' | 'length'>> } {
  const checked = checkOptions<T>(options, [...rangeKeys, ...others]);
  // Many things have a length that are no options, a view of memory among them.
  if (!hasOwnLength(checked)) throw invalidType('options', 'an object of options', options);
  const { offset = 0, length = 0, ...rest } = checked;
  checkInteger('options.offset', offset, 0, Number.MAX_SAFE_INTEGER);
  checkInteger('options.length', length, 0, Number.MAX_SAFE_INTEGER);
  return { range: { offset, length: length === 0 ? Number.POSITIVE_INFINITY : length }, rest };
}

/** For what goes wrong with the file rather than with the socket. */
export function fileError(
  errno: number,
  { path, fd }: FileSource,
  bytesTransferred = 0,
): SocketError {
  const { code, message } = systemError(errno, {});
  const syscall = syscallNames[binding.control[Control.Syscall] as number] ?? 'sendfile';
  const what = path ?? `descriptor ${fd}`;
  const why = code === 'EINVAL' ? 'it is not a regular file' : message;
  return new SocketError(`cannot send ${what}: ${why}`, {
    code,
    errno,
    syscall,
    path,
    bytesTransferred,
  });
}

export function tooShortError(length: number, bytesTransferred: number): SocketError {
  const message = `the file ended after ${bytesTransferred} of ${length} bytes`;
  return new SocketError(message, { code: 'ERR_SOCK_FILE_TOO_SHORT', bytesTransferred });
}
