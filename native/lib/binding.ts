import type { Backend } from './constants.js';
import { loadAddon } from './load.js';

/** A context in the addon, which lives as long as somebody refers to it. */
export interface TlsContextHandle {
  readonly tlsContext: unique symbol;
}

/** A certificate with what it needs: PEM text, and in `staple` DER. */
export interface TlsIdentity {
  /** Empty: for names that no other is for. */
  readonly hostname: string;
  readonly chain: string;
  readonly key: string;
  readonly passphrase: string;
  readonly staple: Uint8Array | null;
}

/** What a context is made of; more of it in src/tls/settings.h. */
export interface TlsSettings {
  readonly isServer: boolean;
  readonly identities: readonly TlsIdentity[];
  readonly authorities: readonly string[];
  readonly rootTexts: readonly string[];
  readonly rootFiles: readonly string[];
  readonly rootDirectories: readonly string[];
  readonly revocations: readonly string[];
  readonly revocationOfLeafOnly: boolean;
  readonly verifyMode: number;
  readonly minVersion: number;
  readonly maxVersion: number;
  readonly ciphers: string;
  readonly cipherSuites: string;
  readonly protocols: Uint8Array;
  readonly ticketKeys: Uint8Array;
  readonly sessionLifeS: number;
  readonly asksProtocol: boolean;
  readonly asksStaple: boolean;
  readonly asksVerdict: boolean;
  readonly logsSecrets: boolean;
  readonly requestsStatus: boolean;
  readonly requiresStatus: boolean;
  readonly terms: string;
}

/**
 * What create() of the addon returns: arrays shared with it, and its functions. Sockets are named
 * by slot and generation; results below zero are negated errno values. What each function does is
 * said where it is defined, in src/binding/*_wrap.cc.
 */
export interface Binding {
  readonly control: Int32Array;
  readonly records: Int32Array;
  /** Bytes received and sent: of the socket that was closed, detached or asked for last. */
  readonly traffic: Float64Array;
  readonly pages: readonly Int32Array[];
  readonly chunks: ArrayBuffer[];
  readonly answers: (string[] | undefined)[];
  /** The address that `judge` is asked about. */
  readonly guest: Uint8Array;
  /** Of this reactor. */
  readonly backend: Backend;
  /** Those of this platform, the best first. */
  readonly backends: readonly Backend[];

  now(): number;
  setDeadline(id: number, atMs: number): void;
  clearDeadline(id: number): void;
  holdLoop(on: boolean): void;

  open(family: number, type: number): number;
  addressFamily(text: string): 0 | 4 | 6;
  pair(type: number): number;
  fromFd(fd: number, datagrams: boolean): number;
  detach(slot: number, generation: number, nonBlocking: boolean): number;
  bind(slot: number, generation: number, host: string, port: number, family: number): number;
  bindUnix(slot: number, generation: number, path: string, type: number): number;
  listen(slot: number, generation: number, backlog: number): number;
  close(slot: number, generation: number): number;
  leave(slot: number, generation: number): void;
  fd(slot: number, generation: number): number;
  address(slot: number, generation: number, peer: boolean): string | number;
  isConnected(slot: number, generation: number): number;
  setOption(slot: number, generation: number, option: number, value: number): number;
  getOption(slot: number, generation: number, option: number): number;
  setCongestion(slot: number, generation: number, name: string): number;
  congestion(slot: number, generation: number): string | number;
  setCloseOnExec(slot: number, generation: number, on: boolean): number;
  closeOnExec(slot: number, generation: number): number;
  tcpInfo(slot: number, generation: number, figures: Float64Array): number;
  peerCredentials(slot: number, generation: number): number;

  tlsIsAvailable(): boolean;
  tlsContext(settings: TlsSettings): TlsContextHandle | [setting: string, reason: string];
  tlsEnable(
    slot: number,
    generation: number,
    context: TlsContextHandle,
    early: Uint8Array | null,
  ): number;
  tlsSetHostname(slot: number, generation: number, name: string, isAddress: boolean): number;
  tlsSetSession(slot: number, generation: number, session: Uint8Array): number;
  tlsSession(slot: number, generation: number): ArrayBuffer | undefined;
  tlsHandshake(slot: number, generation: number, wait: boolean): number;
  tlsShutdown(slot: number, generation: number): number;
  tlsSettle(slot: number, generation: number): number;
  flushHeld(slot: number, generation: number): number;
  tlsFailure(
    slot: number,
    generation: number,
  ): [kind: number, reason: string, alert: number, verifyCode: number, verifyText: string] | number;
  tlsState(
    slot: number,
    generation: number,
  ): [version: string, cipher: string, protocol: string, verifyCode: number] | number;
  tlsResumed(slot: number, generation: number): number;
  tlsComplete(slot: number, generation: number): number;
  tlsPeerCertificate(slot: number, generation: number): ArrayBuffer | undefined;
  tlsPeerChain(slot: number, generation: number): ArrayBuffer[] | number;
  tlsQuestion(
    slot: number,
    generation: number,
  ): [hostname: string, protocols: ArrayBuffer | undefined, wantsStaple: number] | undefined;
  tlsAnswer(
    slot: number,
    generation: number,
    protocol: Uint8Array | null,
    staple: Uint8Array | null,
  ): number;
  tlsSecrets(slot: number, generation: number): string[] | number;
  tlsOcspStatus(slot: number, generation: number): number;
  tlsOcspLeft(response: Uint8Array): number | undefined;
  tlsPkcs12(file: Uint8Array, passphrase: string): [chain: string, key: string] | string;

  receive(slot: number, generation: number, max: number, wait: boolean): number;
  receiveInto(
    slot: number,
    generation: number,
    view: Uint8Array,
    offset: number,
    length: number,
    wait: boolean,
  ): number;
  setMemory(slot: number, generation: number, memory: ArrayBufferLike): number;
  send(
    slot: number,
    generation: number,
    view: Uint8Array,
    offset: number,
    length: number,
    wait: boolean,
  ): number;
  sendAll(slot: number, generation: number, view: Uint8Array): number;
  receiveVector(
    slot: number,
    generation: number,
    views: readonly Uint8Array[],
    lengths: Float64Array,
    first: number,
    offset: number,
    wait: boolean,
  ): number;
  sendVector(
    slot: number,
    generation: number,
    views: readonly Uint8Array[],
    lengths: Float64Array,
    first: number,
    offset: number,
    wait: boolean,
  ): number;
  sendMessage(
    slot: number,
    generation: number,
    views: readonly Uint8Array[],
    lengths: Float64Array,
    descriptors: Int32Array,
    credentials: Float64Array,
    outOfBand: boolean,
    wait: boolean,
  ): number;
  receiveMessage(
    slot: number,
    generation: number,
    view: Uint8Array,
    length: number,
    kind: number,
    wait: boolean,
  ): number[] | number;
  duplicate(fd: number): number;
  take(slot: number, generation: number): number;
  shutdown(slot: number, generation: number, direction: number): number;
  connect(slot: number, generation: number, host: string, port: number, wait: boolean): number;
  disconnect(slot: number, generation: number): number;
  connectUnix(slot: number, generation: number, path: string, wait: boolean): number;
  connectOutcome(slot: number, generation: number): number;
  wait(slot: number, generation: number, events: number, timeoutMs: number): number;
  accept(slot: number, generation: number, wait: boolean): number;

  receiveDatagrams(
    slot: number,
    generation: number,
    memory: Uint8Array,
    entries: Int32Array,
    places: Int32Array,
    count: number,
    stride: number,
    room: number,
    mode: number,
  ): number;
  sendDatagrams(
    slot: number,
    generation: number,
    memory: Uint8Array,
    entries: Int32Array,
    first: number,
    count: number,
    skipped: number,
    mode: number,
  ): number;
  writeAddress(
    entries: Int32Array,
    entry: number,
    host: string,
    port: number,
    isPath: boolean,
  ): number;
  readAddress(entries: Int32Array, entry: number): string;
  readDestination(entries: Int32Array, entry: number, answer: boolean): string;
  writeSource(
    entries: Int32Array,
    entry: number,
    host: string,
    interfaceIndex: number,
    isIpv6: boolean,
  ): number;
  changeMembership(
    slot: number,
    generation: number,
    group: string,
    source: string,
    interfaceIndex: number,
    joins: boolean,
  ): number;
  setMulticastInterface(
    slot: number,
    generation: number,
    family: number,
    interfaceIndex: number,
  ): number;
  bindToDevice(slot: number, generation: number, name: string): number;
  boundDevice(slot: number, generation: number): string | number;
  interfaceIndex(name: string): number;
  interfaceName(index: number): string;
  receiveError(
    slot: number,
    generation: number,
    memory: Uint8Array,
    wait: boolean,
  ): (number | string)[] | number;

  count(counter: number, by: number): void;
  countDuration(cell: number, us: number): void;
  readCounters(values: Float64Array): void;
  countRetransmits(on: boolean): void;
  readTraffic(slot: number, generation: number): number;
  openFile(source: number | string, offset: number, length: number, wait: boolean): number;
  sendFile(
    slot: number,
    generation: number,
    id: number,
    wait: boolean,
    mayBlock: boolean,
    goOn: boolean,
  ): number;
  closeFile(id: number): void;
  relay(slot: number, generation: number, otherSlot: number, otherGeneration: number): number;
  openFlow(id: number, flow: number): void;
  relayMoved(id: number, flow: number): number;
  endRelay(id: number): void;

  pollCreate(backend: string, eventsMax: number): Int32Array | number;
  pollClose(id: number): number;
  pollAdd(id: number, fd: number, index: number, generation: number, interest: number): number;
  pollModify(id: number, fd: number, index: number, generation: number, interest: number): number;
  pollRemove(id: number, fd: number, index: number, generation: number): void;
  pollWait(id: number, limitMs: number): number;
  pollArm(id: number): number;
  pollDisarm(id: number): void;
  pollName(id: number): number;
  pollWake(name: number): boolean;
  pollSetTimer(id: number, timer: number, atMs: number): void;
  pollClearTimer(id: number, timer: number): void;
  pollTakeTimer(id: number, nowMs: number): number;
  pollNextTimer(id: number): number;

  ringOpen(entries: number): number;
  ringClose(ring: number): number;
  ringReceive(
    ring: number,
    key: number,
    slot: number,
    generation: number,
    size: number,
    goesOn: boolean,
  ): number;
  ringSend(ring: number, key: number, slot: number, generation: number, view: Uint8Array): number;
  ringSendRegistered(
    ring: number,
    key: number,
    slot: number,
    generation: number,
    offset: number,
    length: number,
  ): number;
  ringAccept(ring: number, key: number, slot: number, generation: number, isUnix: boolean): number;
  ringCancel(ring: number, key: number): void;
  ringSubmit(ring: number): number;
  ringMemory(ring: number, size: number): ArrayBuffer | number;
  turn(): void;
  reactorFd(): number;

  lookup(pool: number, id: number, host: string, family: number, flags: number): boolean;
  lookupName(pool: number, id: number, address: string): boolean;
  cancelLookup(pool: number, id: number): void;
  watchLookup(pool: number, id: number, notifier: number): void;
  takeLookups(pool: number): (number | string[])[];
  lookupSync(host: string, family: number, timeoutMs: number): string[] | number | null;
  describeLookup(gaiCode: number): string;
  openPool(threads: number, threadsMax: number, pendingMax: number): number;
  resizePool(pool: number, pendingMax: number): void;
  closePool(pool: number): void;
  poolThreads(pool: number): number;
  sourceAddress(host: string): string;

  openNotifier(): number;
  notify(id: number): void;
  clearNotifier(id: number): void;
  setNotifierDeadline(id: number, atMs: number): void;
  watchWithNotifier(id: number, fd: number, forWriting: boolean): number;
  unwatchWithNotifier(id: number, fd: number): void;
  closeNotifier(id: number): number;

  peek(fd: number): number;
  setOptionOf(fd: number, option: number, value: number): number;
  tcpInfoOf(fd: number, figures: Float64Array): number;
}

/** The errno values that our code looks at, positive. */
type ErrnoName =
  | 'EAFNOSUPPORT'
  | 'EAGAIN'
  | 'EBADF'
  | 'ECANCELED'
  | 'ECONNRESET'
  | 'EEXIST'
  | 'EFAULT'
  | 'EINPROGRESS'
  | 'EINVAL'
  | 'EMFILE'
  | 'EMSGSIZE'
  | 'ENFILE'
  | 'ENOBUFS'
  | 'ENOMEM'
  | 'ENOMSG'
  | 'ENOSPC'
  | 'ENOTCONN'
  | 'EPROTO'
  | 'EPERM'
  | 'EPIPE'
  | 'EPROTOTYPE'
  | 'ESRCH'
  | 'ETOOMANYREFS';

interface Addon {
  readonly errno: Readonly<Record<ErrnoName, number>>;
  create(
    backend: string,
    deliver: (count: number) => void,
    judge: (slot: number, size: number) => boolean,
  ): Binding | number;
}

const addon = loadAddon() as Addon;

export const Errno = addon.errno;

/**
 * A context of its own in the addon; `deliver` is called once per turn that has records, `judge`
 * for each connection to a listener that has {@link Flag.Guarded}: its slot, and how many bytes of
 * `guest` are the peer's address, 0 on a Unix socket.
 */
export function createBinding(
  backend: string,
  deliver: (count: number) => void,
  judge: (slot: number, size: number) => boolean,
): Binding {
  const binding = addon.create(backend, deliver, judge);
  if (typeof binding === 'number') {
    throw new Error(`@sock/native could not start its reactor (errno ${-binding})`);
  }
  return binding;
}
