/** Why requests end that the kernel has not ended. */
import { AsyncIOError, SocketClosedError } from '@sock/core';

export function cancelledError(): AsyncIOError {
  return new AsyncIOError('the request was cancelled', { code: 'ECANCELED' });
}

export function asyncClosedError(): AsyncIOError {
  return new AsyncIOError('the AsyncIO is closed', { code: 'ERR_SOCK_CLOSED' });
}

export function socketClosedError(): SocketClosedError {
  return new SocketClosedError('the socket is closed', { code: 'ERR_SOCK_CLOSED' });
}

export function lineBusyError(what: string): AsyncIOError {
  return new AsyncIOError(`another request is not possible while ${what}`, {
    code: 'ERR_SOCK_BUSY',
  });
}

export function alreadyRegistered(): AsyncIOError {
  return new AsyncIOError('there is registered memory already', { code: 'ERR_SOCK_BUSY' });
}
