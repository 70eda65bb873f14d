export { Arena, type ArenaOptions } from './arena.js';
/** @internal For those who look many up. */
export { cidrMatch, type Network, parseNetwork } from './cidr.js';
export { type ConnectOptions, connect, type LookupFunction } from './connect.js';
export type {
  CloseEvent,
  ConnectErrorEvent,
  ConnectEvent,
  ConnectionEvent,
} from './diagnostics.js';
export type { DuplexAddress, DuplexOptions, SocketDuplex } from './duplex/socket-duplex.js';
export type { DuplexSource } from './duplex/source.js';
export type { TakenStream } from './duplex/taken-stream.js';
export {
  AbortError,
  ArenaError,
  AsyncIOError,
  DatagramError,
  HappyEyeballsError,
  isSocketError,
  lastError,
  PollError,
  PoolError,
  RateLimitError,
  ReconnectError,
  ResolveError,
  SocketClosedError,
  SocketError,
  type SocketErrorDetails,
  systemError,
  TimeoutError,
  TimerError,
  TlsError,
  TlsHandshakeError,
  TlsProtocolError,
  TlsShutdownError,
  TlsVerifyError,
  UnixSocketError,
} from './errors.js';
export type {
  FileRangeOptions,
  SendableFile,
  SendFileOptions,
  SendFileSyncOptions,
} from './file-source.js';
/** @internal The verbs, for streams of other packages. */
export { FileStream } from './file-stream.js';
/** @internal For those who see addresses as the kernel has them. */
export { type IpAddress, ipOfBytes, isMapped, parseIp } from './ip-address.js';
export type { KeepAlive, KeepAliveOptions } from './keep-alive.js';
export { type ListenOptions, listen } from './listen.js';
export type {
  AcceptLoan,
  Borrower,
  Cancel,
  Closeable,
  ReadLoan,
  Settle,
  WriteLoan,
} from './loans.js';
export type {
  Credentials,
  HasFd,
  Message,
  MessageFlags,
  PassableFd,
  ReceivedMessage,
  ReceiveMessageFlags,
  ReceiveMessageOptions,
  SendMessageFlags,
  TryReceiveMessageFlags,
  TryReceiveMessageOptions,
} from './message.js';
export { monotonicMs } from './monotonic.js';
export type { SocketOptions } from './native-socket.js';
export type {
  ConnectMethodOptions,
  ConnectSyncOptions,
  OperationOptions,
} from './operation.js';
export type { Pollable, Poller, PollWatcher } from './pollable.js';
export { RateLimiter } from './rate-limiter.js';
export type { ReceivedFd } from './received-fd.js';
export { type RelayedBytes, type RelayOptions, relay } from './relay.js';
/** @internal Looking names up, for the other packages. */
export { resolveHost, resolveHostSync, withLimits } from './resolve.js';
export type { ResolverLike } from './resolver-like.js';
export { RingBuffer, type RingBufferOptions } from './ring-buffer.js';
export {
  type Connection,
  type ConnectionHandler,
  type ServeOptions,
  type Server,
  serve,
} from './serve.js';
export { type ListeningSocket, Socket } from './socket.js';
export type { ChunksOptions, Data, StreamSocket, SyncOptions } from './stream-socket.js';
export type { ResolvedAddress } from './target.js';
export type { TcpInfo, TcpState } from './tcp-info.js';
export type { Timeouts } from './timeouts.js';
export { toDuplex } from './to-duplex.js';
export type { PeerCredentials } from './tunable-socket.js';
