// The numbers that both sides of the border know. Each block names its mirror in C++.

/** Bits of a socket's first shared word: `flag` in src/reactor/source.h. */
export const Flag = {
  Readable: 1,
  Writable: 2,
  WantChunk: 4,
  WantRead: 8,
  WantWrite: 16,
  Registered: 32,
  /** A layer in front of the descriptor holds output that the kernel did not take. */
  Held: 64,
  /** It holds input that the kernel has no more. */
  Unread: 128,
  /** Of a listener: `judge` is asked who may come in. */
  Guarded: 256,
  WantFill: 512,
} as const;

/** Words of the control array: `Control` in src/binding/context.h. */
export const Control = {
  InTurn: 0,
  Held: 1,
  LoopHeld: 2,
  ChunkIndex: 3,
  ChunkOffset: 4,
  Syscall: 5,
  Extra: 6,
  Extra2: 7,
  Extra3: 8,
  Turn: 9,
  Reading: 10,
} as const;

/** Kinds of records: `Record` in src/binding/context.h. */
export const RecordKind = {
  Chunk: 0,
  Readable: 1,
  Writable: 2,
  Accepted: 3,
  Deadline: 4,
  LookedUp: 5,
  Task: 6,
  PollReady: 7,
  Progress: 8,
  Completed: 9,
  Filled: 10,
} as const;

/** Tables of src/binding/socket_wrap.cc, by position. */
export const families = ['ipv4', 'ipv6', 'unix'] as const;
export const types = ['stream', 'seqpacket'] as const;
/** The position of datagrams there; a `Socket` cannot have it. */
export const datagramType = 2;

/** What readiness can come from: `Poller::name()` of src/reactor/poller.h. */
export type Backend = 'epoll' | 'kqueue' | 'poll';

/** `Option` in src/sys/socket_options.h. */
export const SocketOption = {
  ReuseAddr: 0,
  ReusePort: 1,
  NoDelay: 2,
  Ipv6Only: 3,
  AcceptConn: 4,
  KeepAlive: 5,
  KeepIdle: 6,
  KeepInterval: 7,
  KeepCount: 8,
  RecvBuffer: 9,
  SendBuffer: 10,
  FastOpen: 11,
  FastOpenConnect: 12,
  UserTimeout: 13,
  Protocol: 14,
  PassCredentials: 15,
  Broadcast: 16,
  Priority: 17,
  Timestamps: 18,
  DropCount: 19,
  Tos: 20,
  Ttl: 21,
  MulticastTtl: 22,
  MulticastLoopback: 23,
  MulticastAll: 24,
  PacketInfo: 25,
  ReceiveTos: 26,
  ReceiveTtl: 27,
  ReceiveErrors: 28,
  MtuDiscovery: 29,
  Mtu: 30,
  TrafficClass: 31,
  HopLimit: 32,
  MulticastHops: 33,
  MulticastLoopback6: 34,
  MulticastAll6: 35,
  PacketInfo6: 36,
  ReceiveTrafficClass: 37,
  ReceiveHopLimit: 38,
  ReceiveErrors6: 39,
  MtuDiscovery6: 40,
  Mtu6: 41,
  ReceiveOffload: 42,
} as const;

/** `Role` in src/sys/socket_identity.h, by position. */
export const roles = ['new', 'connecting', 'connected', 'listening'] as const;

export type Role = (typeof roles)[number];
export type Family = (typeof families)[number];
export type SocketType = (typeof types)[number];

/** Slots of a page of shared words, and words of a slot: src/reactor/slots.h, source.h. */
export const slotsPerPage = 1024;
export const wordsPerSlot = 2;

/** `Syscall` in src/base/result.h, by position. */
export const syscallNames = [
  '',
  'socket',
  'socketpair',
  'bind',
  'listen',
  'accept',
  'connect',
  'recv',
  'send',
  'shutdown',
  'setsockopt',
  'getsockopt',
  'getsockname',
  'getpeername',
  'poll',
  'epoll_create1',
  'epoll_ctl',
  'eventfd',
  'pipe',
  'unlink',
  'fcntl',
  'open',
  'fstat',
  'pread',
  'sendfile',
  'splice',
  'timerfd_create',
  'mmap',
  'io_uring_setup',
  'io_uring_register',
  'io_uring_enter',
  'kqueue',
  'kevent',
] as const;

/** `TcpFigure` in src/sys/tcp_info.h, by position. */
export const tcpFigures = [
  'state',
  'retransmits',
  'probes',
  'backoff',
  'synDataAcked',
  'deliveryRateAppLimited',
  'retransmitTimeout',
  'delayedAckTimeout',
  'sendMss',
  'recvMss',
  'unacked',
  'sacked',
  'lost',
  'retransmitted',
  'sinceDataSent',
  'sinceDataReceived',
  'sinceAckReceived',
  'pathMtu',
  'rtt',
  'rttVariance',
  'slowStartThreshold',
  'congestionWindow',
  'advertisedMss',
  'reordering',
  'recvRtt',
  'recvSpace',
  'totalRetransmits',
  'pacingRate',
  'maxPacingRate',
  'bytesAcked',
  'bytesReceived',
  'segmentsSent',
  'segmentsReceived',
  'notSentBytes',
  'minRtt',
  'deliveryRate',
  'busyTime',
  'receiveWindowLimitedTime',
  'sendBufferLimitedTime',
  'delivered',
  'deliveredCe',
  'bytesSent',
  'bytesRetransmitted',
  'duplicateSacks',
  'reorderings',
  'sendWindow',
] as const;

/** `Counter` in src/base/counters.h, by position. */
export const counterNames = [
  'socket_connect_success',
  'socket_connect_failure',
  'socket_shutdown_calls',
  'dns_request_submitted',
  'dns_request_completed',
  'dns_request_failed',
  'dns_request_cancelled',
  'dns_request_timeout',
  'poll_wakeups',
  'poll_events_dispatched',
  'pool_connections_added',
  'pool_connections_removed',
  'pool_connections_reused',
  'accepts',
  'accept_rejects',
  'closes',
  'bytes_received',
  'bytes_sent',
  'datagrams_received',
  'datagrams_sent',
  'tls_handshakes',
  'tls_handshake_failures',
  'tls_resumptions',
  'reconnects',
  'timers_fired',
  'io_uring_completions',
  'tcp_retransmits',
] as const;

export type CounterName = (typeof counterNames)[number];

/** Of src/binding/message_wrap.cc: which message is received, and what is said of it. */
export const MessageKind = { Next: 0, Peek: 1, OutOfBand: 2 } as const;
export const MessageFlag = { Truncated: 1, ControlTruncated: 2, HasCredentials: 4 } as const;

/** Of src/binding/datagram_wrap.cc: how datagrams are received and sent. */
export const DatagramMode = { Wait: 1, PassErrors: 2, Control: 4, Offload: 8 } as const;

/** Words of an entry: `DatagramEntry` in src/sys/datagram_entry.h. */
export const DatagramWord = {
  Offset: 0,
  Length: 1,
  Flags: 2,
  AddressSize: 3,
  Interface: 4,
  Tos: 5,
  Ttl: 6,
  Dropped: 7,
  Segment: 8,
  /** A double, of milliseconds. */
  Time: 14,
  Address: 16,
} as const;
export const wordsPerDatagram = 44;

/** `datagram_flag` there. */
export const DatagramFlag = {
  Truncated: 1,
  ControlTruncated: 2,
  Tos: 4,
  Ttl: 8,
  Time: 16,
  Dropped: 32,
  Local: 64,
  IsIpv6: 128,
  SetTos: 256,
  SetTtl: 512,
} as const;

/** What a poll is asked for: `Interest` in src/reactor/poller.h. */
export const Interest = { Read: 1, Write: 2, Level: 4, OneShot: 8, PeerEnd: 16 } as const;
/** Words of an event that a poll has found: `PollSet` in src/binding/poll_set.h. */
export const wordsPerEvent = 3;

/** Events of poll(2) that the blocking wait asks for; the same everywhere. */
export const PollIn = 1;
export const PollOut = 4;
