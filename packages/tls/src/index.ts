export { type ConnectTlsOptions, connectTls } from './connect-tls.js';
export { TlsHandshakeState, TlsVerifyMode, type TlsVersion } from './constants.js';
export {
  type SessionCacheOptions,
  type SessionCacheStats,
  type TlsCertificate,
  TlsContext,
  type TlsContextOptions,
  type TlsCrlOptions,
} from './context.js';
export type { HandshakeErrorEvent, HandshakeEvent } from './diagnostics.js';
export { type ListenTlsOptions, listenTls, TlsListener } from './listen-tls.js';
export type { PemSource } from './pem.js';
export { TlsSocket, type TlsSocketOptions } from './tls-socket.js';
