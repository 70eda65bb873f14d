/** How what the addon and the kernel say becomes an error. */
import { getSystemErrorMap, getSystemErrorName } from 'node:util';
import { AsyncIOError, PollError } from '@sock/core';
import { binding, Control, syscallNames } from '@sock/native';

/** What there is to say about the negative errno that a call of the addon has just returned. */
function describe(errno: number, about: string, otherwise: string) {
  const syscall = syscallNames[binding.control[Control.Syscall] as number] || otherwise;
  const code = getSystemErrorName(errno);
  const text = getSystemErrorMap().get(errno)?.[1] ?? 'unknown error';
  return { message: `${syscall} ${code}: ${about}: ${text}`, details: { code, errno, syscall } };
}

/** Of a call for a poll. */
export function lastCallError(errno: number, about: string): PollError {
  const { message, details } = describe(errno, about, 'poll');
  return new PollError(message, details);
}

/** Of a call for a ring. */
export function asyncCallError(errno: number, about: string): AsyncIOError {
  const { message, details } = describe(errno, about, 'io_uring_enter');
  return new AsyncIOError(message, details);
}

export function closedError(): PollError {
  return new PollError('the poll is closed', { code: 'ERR_SOCK_CLOSED' });
}

export function busyError(verb: string): PollError {
  return new PollError(`${verb} is not possible while a wait() waits`, { code: 'ERR_SOCK_BUSY' });
}
