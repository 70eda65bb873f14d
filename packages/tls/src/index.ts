export { type ConnectTlsOptions, connectTls } from './connect-tls.js';
export { TlsHandshakeState, TlsVerifyMode, type TlsVersion } from './constants.js';
export type {
  TlsAlpnCallback,
  TlsKeyLogCallback,
  TlsVerdict,
  TlsVerifyCallback,
} from './consultation.js';
export { TlsContext } from './context.js';
export type {
  OcspRequestOptions,
  SessionCacheOptions,
  SessionCacheStats,
  TlsCertificate,
  TlsContextOptions,
  TlsContextShare,
  TlsCrlOptions,
  TlsKeyPair,
  TlsPkcs12,
} from './context-options.js';
export type { HandshakeErrorEvent, HandshakeEvent } from './diagnostics.js';
export { type ListenTlsOptions, listenTls, TlsListener } from './listen-tls.js';
export type { OcspCallback, OcspStatus } from './ocsp.js';
export type { PemSource } from './pem.js';
export { TlsSocket, type TlsSocketOptions } from './tls-socket.js';
export {
  type TlsCertificateFiles,
  type TlsFiles,
  TlsFileWatch,
  type WatchTlsFilesOptions,
  watchTlsFiles,
} from './watch-files.js';
