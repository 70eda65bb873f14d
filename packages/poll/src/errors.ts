/** How what the addon and the kernel say becomes an error. */
import { getSystemErrorMap, getSystemErrorName } from 'node:util';
import { PollError } from '@sock/core';
import { binding, Control, syscallNames } from '@sock/native';

/** The error for the negative errno that a call of the addon has just returned. */
export function lastCallError(errno: number, about: string): PollError {
  const syscall = syscallNames[binding.control[Control.Syscall] as number] || 'poll';
  const code = getSystemErrorName(errno);
  const text = getSystemErrorMap().get(errno)?.[1] ?? 'unknown error';
  return new PollError(`${syscall} ${code}: ${about}: ${text}`, { code, errno, syscall });
}

export function closedError(): PollError {
  return new PollError('the poll is closed', { code: 'ERR_SOCK_CLOSED' });
}

export function busyError(verb: string): PollError {
  return new PollError(`${verb} is not possible while a wait() waits`, { code: 'ERR_SOCK_BUSY' });
}
