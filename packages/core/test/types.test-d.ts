/** What the type checker must accept, and what it must refuse; compiled, never run. */

import type * as dns from 'node:dns';
import type { FileHandle } from 'node:fs/promises';
import type http from 'node:http';
import type { Duplex } from 'node:stream';
import type tls from 'node:tls';
import {
  Arena,
  type ArenaOptions,
  type ChunksOptions,
  type CloseEvent,
  type ConnectErrorEvent,
  type ConnectEvent,
  type ConnectionEvent,
  type ConnectMethodOptions,
  type ConnectOptions,
  type Credentials,
  cidrMatch,
  connect,
  type Data,
  type IpAddress,
  isSocketError,
  type KeepAlive,
  type KeepAliveOptions,
  type ListeningSocket,
  type ListenOptions,
  type LookupFunction,
  lastError,
  listen,
  type Message,
  type MessageFlags,
  type OperationOptions,
  type PassableFd,
  type PeerCredentials,
  parseIp,
  type ReceivedFd,
  type ReceivedMessage,
  type ReceiveMessageOptions,
  type RelayedBytes,
  ResolveError,
  RingBuffer,
  type RingBufferOptions,
  relay,
  type SendFileOptions,
  Socket,
  SocketClosedError,
  type SocketError,
  type SocketErrorDetails,
  type SocketOptions,
  type StreamSocket,
  type SyncOptions,
  type TcpInfo,
  type TcpState,
  TimeoutError,
  type Timeouts,
  toDuplex,
  UnixSocketError,
} from '@sock/core';

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function same<A, B>(equal: Equal<A, B>): void;

/** A socket stands wherever a stream is wanted. */
export function asStream(socket: Socket): StreamSocket {
  return socket;
}

export async function receives(socket: Socket, view: Uint8Array, options: OperationOptions) {
  same<Awaited<ReturnType<typeof socket.recvAll>>, Buffer>(true);
  const chunk = await socket.recv(16, options);
  same<typeof chunk, Buffer>(true);
  const count = await socket.recv(view);
  same<typeof count, number>(true);
  const tried = socket.tryRecv();
  same<typeof tried, Buffer | null>(true);
  const triedInto = socket.tryRecv(view);
  same<typeof triedInto, number | null>(true);
  for await (const part of socket) same<typeof part, Buffer>(true);
  for await (const part of socket.chunks({ size: 1, reuse: true })) same<typeof part, Buffer>(true);
  // @ts-expect-error: bytes are received into bytes, not into a string
  await socket.recv('16');
  // @ts-expect-error: the blocking forms know no signal
  socket.recvSync(1, { signal: AbortSignal.abort() });
}

export async function sends(socket: Socket, data: Data) {
  same<Data, Uint8Array | string>(true);
  same<Awaited<ReturnType<typeof socket.sendAll>>, void>(true);
  const count: number = await socket.send(data);
  const tried: number | null = socket.trySend('text');
  // @ts-expect-error: numbers are no bytes
  await socket.sendAll(5);
  // @ts-expect-error: there are only these three
  await socket.shutdown('sideways');
  return [count, tried];
}

export async function vectors(socket: Socket, views: readonly Buffer[]) {
  const sent: number = await socket.sendv(['text', ...views]);
  same<Awaited<ReturnType<typeof socket.sendvAll>>, void>(true);
  const tried: number | null = socket.trySendv(views) ?? socket.tryRecvv(views);
  const received: number = (await socket.recvv(views)) + (await socket.recvvAll(views));
  // @ts-expect-error: one place is no vector
  await socket.sendv('text');
  // @ts-expect-error: bytes are received into bytes, not into strings
  await socket.recvv(['text']);
  return [sent, tried, received];
}

export async function relays(stream: StreamSocket, socket: Socket) {
  same<Awaited<ReturnType<typeof relay>>, RelayedBytes>(true);
  // @ts-expect-error: a relay has no time limit
  await relay(stream, socket, { timeout: 5 });
  return relay(stream, socket, { signal: AbortSignal.abort() });
}

export async function files(socket: Socket, handle: FileHandle) {
  const options: SendFileOptions = { offset: 1, length: 2, timeout: 3 };
  const sent: number = await socket.sendFileAll('path', options);
  const tried: number | null = socket.trySendFile(5, { offset: 1 });
  // @ts-expect-error: the blocking forms know no signal
  socket.sendFileSync(handle, { signal: AbortSignal.abort() });
  // @ts-expect-error: bytes are sent by sendAll
  await socket.sendFile(Buffer.alloc(1));
  return [sent, tried, await socket.sendFile(handle)];
}

export async function messages(socket: Socket, received: ReceivedFd, file: FileHandle) {
  const fds: PassableFd[] = [0, socket, received, file];
  const credentials: Credentials = { pid: 1, uid: 2, gid: 3 };
  const message: Message = { data: ['a', new Uint8Array(1)], fds, credentials };
  const sent: number = await socket.sendMsg({ ...message, flags: { outOfBand: true } });
  same<ReturnType<typeof socket.trySendMsg>, number | null>(true);
  const options: ReceiveMessageOptions = { timeout: 1, flags: { peek: true } };
  const got = await socket.recvMsg(10, options);
  same<typeof got, ReceivedMessage>(true);
  same<typeof got.flags, MessageFlags>(true);
  const tried = socket.tryRecvMsg(1, { flags: { outOfBand: true } });
  same<typeof tried, ReceivedMessage | null>(true);
  // @ts-expect-error: urgent data is only tried for
  await socket.recvMsg(1, { flags: { outOfBand: true } });
  // @ts-expect-error: descriptors are not named by strings
  await socket.sendMsg({ data: 'x', fds: ['0'] });
  // @ts-expect-error: a message has data
  await socket.sendMsg({ fds });
  for (const { fd } of got.fds) same<typeof fd, number>(true);
  return sent;
}

export async function accepts(options: ListenOptions): Promise<void> {
  const listener: ListeningSocket = listen(options);
  for await (const connection of listener) same<typeof connection, Socket>(true);
  same<ReturnType<typeof listener.tryAccept>, Socket | null>(true);
}

export function makes(): readonly Socket[] {
  const options: SocketOptions = { family: 'unix', type: 'seqpacket' };
  // @ts-expect-error: there is no such family
  new Socket({ family: 'ipx' });
  // @ts-expect-error: a family is needed
  new Socket({});
  const [near, far] = Socket.pair();
  return [new Socket(options), near, far];
}

/** Optional values may be handed on as they are, undefined included. */
export function passesOn(timeout?: number, signal?: AbortSignal): Promise<Socket> {
  const limits: OperationOptions = { timeout, signal };
  const sync: SyncOptions = { timeout };
  const chunks: ChunksOptions = { size: undefined, reuse: undefined };
  const options: ConnectOptions = { port: 1, ...limits };
  return connect({ ...options, ...sync, host: String(chunks.size) });
}

/** Each message has what those before it have. */
export function events(event: CloseEvent | ConnectErrorEvent): unknown[] {
  const connection: ConnectionEvent = event;
  const duration: number | undefined = event.duration;
  if ('bytesRead' in event) return [event.bytesWritten, event.error?.code, event.detached];
  const connect: ConnectEvent = event;
  // @ts-expect-error: what was told is not for writing
  connect.fd = 5;
  return [connection.remoteAddress, duration, event.error];
}

/** Node's own lookup fits. */
export function lookups(nodes: typeof dns.lookup): LookupFunction {
  return nodes;
}

export function errors(error: unknown): string {
  if (isSocketError(error)) {
    same<typeof error, SocketError>(true);
    const path: string | undefined = error.path;
    const errno: number | undefined = error.errno;
    return `${error.code} ${path} ${errno} ${error.retryable} ${error.bytesTransferred}`;
  }
  if (error instanceof TimeoutError) return String(error.timeout);
  if (error instanceof ResolveError) return `${error.hostname} ${error.gaiCode}`;
  const last: SocketError | null = lastError();
  const details: SocketErrorDetails = { code: 'EX', cause: last };
  const made: SocketError[] = [new UnixSocketError('x', details), new SocketClosedError('x')];
  return String(made.length);
}

export function settings(socket: Socket): Readonly<Timeouts> {
  socket.setTimeouts({ connectTimeout: 5 });
  // @ts-expect-error: names are checked
  socket.setTimeouts({ conectTimeout: 5 });
  // @ts-expect-error: what was read is not for writing
  socket.getTimeouts().dnsTimeout = 5;
  // @ts-expect-error: neither is the state
  socket.isConnected = true;
  using scoped = socket;
  return scoped.getTimeouts();
}

export function addresses(text: string): boolean {
  const ip = parseIp(text);
  same<typeof ip, IpAddress | null>(true);
  // @ts-expect-error: what was read is not for writing
  if (ip !== null) ip.address = '';
  // @ts-expect-error: a network is a string
  cidrMatch(text, { address: text, prefix: 8 });
  return cidrMatch(text, '10.0.0.0/8');
}

export function tunes(socket: Socket, keepAlive: KeepAliveOptions): TcpInfo {
  socket.setKeepAlive(keepAlive);
  socket.setKeepAlive({ idle: undefined, count: 3 });
  socket.setKeepAlive(false);
  const found: KeepAlive | false = socket.getKeepAlive();
  if (found !== false) socket.setKeepAlive(found);
  // @ts-expect-error: on with which values?
  socket.setKeepAlive(true);
  socket.setFastOpen(false);
  // @ts-expect-error: the length of a queue
  socket.setFastOpen(true);
  same<ReturnType<typeof socket.getCongestion>, string>(true);
  const peer: PeerCredentials | undefined = socket.peerCredentials;
  const state: TcpState = socket.tcpInfo().state;
  const rtt: number | undefined = socket.tcpInfo().rtt;
  // @ts-expect-error: an older kernel does not tell
  const sure: number = socket.tcpInfo().deliveryRate;
  return { ...socket.tcpInfo(), state, rtt: rtt ?? sure ?? peer?.uid };
}

export function connectsFast(socket: Socket, options: ConnectMethodOptions): Promise<void> {
  socket.connectSync('127.0.0.1', 1, { timeout: 5, fastOpen: true });
  // @ts-expect-error: a Unix socket has no packets
  void socket.connectUnix('@x', { fastOpen: true });
  return socket.connect('127.0.0.1', 1, { ...options, fastOpen: true });
}

export function memory(options: ArenaOptions, view: Uint8Array): Buffer {
  using arena = new Arena(options);
  const ringOptions: RingBufferOptions = { arena };
  const ring = new RingBuffer(64, ringOptions);
  same<ReturnType<typeof ring.writeView>, Buffer>(true);
  const count: number = ring.read(view);
  const bytes: Buffer = ring.peek(count);
  // @ts-expect-error: what is available follows from what was written
  ring.available = 5;
  // @ts-expect-error: an arena, not the memory
  new RingBuffer(64, { arena: view });
  return bytes;
}

export function handsOver(socket: Socket): Socket {
  const fd: number = socket.detach();
  // @ts-expect-error: a number, not a text
  Socket.fromFd(String(fd));
  return Socket.fromFd(fd);
}

/** What Node's own modules take. */
export function asNodes(socket: Socket, stream: StreamSocket): Duplex {
  const options: http.RequestOptions = { createConnection: () => toDuplex(socket) };
  const below: tls.ConnectionOptions = { socket: toDuplex(stream, { allowHalfOpen: true }) };
  // @ts-expect-error: a listener carries no bytes
  toDuplex(listen({}));
  // @ts-expect-error: names are checked
  toDuplex(socket, { halfOpen: true });
  return options.createConnection?.({}, () => {}) ?? (below.socket as Duplex);
}
