/** How what the addon and the kernel say becomes an error. */
import { getSystemErrorName } from 'node:util';
import { DatagramError, type SocketErrorDetails } from '@sock/core';
import { binding, Control, describeError, Errno, syscallNames } from '@sock/native';

export function systemError(errno: number, details: SocketErrorDetails): DatagramError {
  if (errno === -Errno.EFAULT) return detachedError();
  const code = getSystemErrorName(errno);
  return new DatagramError(describeError(code, errno, details), { ...details, code, errno });
}

/** For calls that make several system calls: the addon says which one failed. */
export function lastCallError(errno: number, details: SocketErrorDetails = {}): DatagramError {
  const syscall = syscallNames[binding.control[Control.Syscall] as number];
  return systemError(errno, { syscall, ...details });
}

export function closedError(): DatagramError {
  return new DatagramError('the socket is closed', { code: 'ERR_SOCK_CLOSED' });
}

export function busyError(verb: string, waiting: string): DatagramError {
  return new DatagramError(`${verb} is not possible while ${waiting} waits`, {
    code: 'ERR_SOCK_BUSY',
  });
}

export function detachedError(): DatagramError {
  return new DatagramError('the buffer was detached or shrunk while the operation waited', {
    code: 'ERR_SOCK_BUFFER_DETACHED',
  });
}

/** A datagram is longer, or shorter, than the room for it asks for; `partial` is what there is. */
export function sizeError(message: string, partial: Buffer): DatagramError {
  return new DatagramError(message, { code: 'EMSGSIZE', syscall: 'recvmmsg', partial });
}
