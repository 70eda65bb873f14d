/** Whether there is an OpenSSL to make TLS with. */
import { TlsError } from '@sock/core';
import { binding } from '@sock/native';

export function checkOpenSsl(): void {
  if (binding.tlsIsAvailable()) return;
  const message = 'this runtime has no OpenSSL that TLS could be made with';
  throw new TlsError(message, { code: 'ERR_SOCK_NO_OPENSSL' });
}
