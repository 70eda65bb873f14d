/** Every public member of a socket, in every state: what it does there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Socket } from '@sock/core';
import {
  expectSockets,
  internalMembers,
  membersOf,
  openSockets,
  outcomeOf,
  streamCalls,
  tableOf,
} from '@sock/testing';
import { Cleanup, type Family, listening, socketIn, states } from './support/states.js';

type Call = (socket: Socket, to: { host: string; port: number; path: string }) => unknown;

/** Where the classes stand that a socket is made of. */
const classFiles = [
  'stream',
  'vector-stream',
  'file-stream',
  'message-stream',
  'metered-stream',
  'tunable-socket',
  'connecting-socket',
  'socket',
];

const sources = classFiles.map((name) =>
  readFileSync(join(__dirname, '..', 'src', `${name}.ts`), 'utf8'),
);

/** What a value looks like in the tables below. */
function show(value: unknown): string {
  if (Buffer.isBuffer(value)) return `'${value}'`;
  if (value instanceof Socket) return 'a socket';
  if (value === undefined) return 'nothing';
  const isEnd =
    typeof value === 'object' && value !== null && 'done' in value && value.done === true;
  const text = isEnd ? 'the end' : String(value);
  return /^@sock-states-\d+-\d+$/.test(text) ? '@name' : text;
}

/** With a bandwidth, where it can have one. */
function throttled(socket: Socket): Socket {
  if (socket.fd >= 0) socket.setBandwidth(1_000);
  return socket;
}

const atOnce = { timeout: 0 };
const calls: Record<string, Call> = {
  ...streamCalls(),
  sendMsg: (s) => s.sendMsg({ data: 'x' }),
  sendMsgSync: (s) => s.sendMsgSync({ data: 'x' }, atOnce),
  trySendMsg: (s) => s.trySendMsg({ data: 'x' }),
  recvMsg: (s) => s.recvMsg(),
  recvMsgSync: (s) => s.recvMsgSync(8, atOnce),
  tryRecvMsg: (s) => s.tryRecvMsg(),
  setPassCredentials: (s) => s.setPassCredentials(true),
  getPassCredentials: (s) => s.getPassCredentials(),
  setBandwidth: (s) => s.setBandwidth(1_000),
  getBandwidth: (s) => s.getBandwidth(),
  bandwidthWaitMs: (s) => s.bandwidthWaitMs(1),
  sendLimited: (s) => throttled(s).sendLimited('x'),
  sendLimitedSync: (s) => throttled(s).sendLimitedSync('x', atOnce),
  trySendLimited: (s) => throttled(s).trySendLimited('x'),
  recvLimited: (s) => throttled(s).recvLimited(),
  'recvLimited(view)': (s) => throttled(s).recvLimited(new Uint8Array(8)),
  recvLimitedSync: (s) => throttled(s).recvLimitedSync(8, atOnce),
  tryRecvLimited: (s) => throttled(s).tryRecvLimited(),
  detach: (s) => {
    Socket.fromFd(s.detach()).close();
  },
  accept: (s) => s.accept(),
  acceptSync: (s) => s.acceptSync(atOnce),
  tryAccept: (s) => s.tryAccept(),
  bind: (s) => s.bind('127.0.0.1', 0),
  bindUnix: (s) => s.bindUnix('@sock-states-nobody'),
  listen: (s) => s.listen(),
  connect: (s, { host, port }) => s.connect(host, port),
  connectSync: (s, { host, port }) => s.connectSync(host, port),
  'tryConnect(x)': (s, { host, port }) => s.tryConnect(host, port) ?? 'under way',
  'tryConnect()': (s) => s.tryConnect() ?? 'under way',
  connectUnix: (s, { path }) => s.connectUnix(path),
  connectUnixSync: (s, { path }) => s.connectUnixSync(path),
  connectTo: (s, { host: address, port }) => s.connectTo([{ address, port, family: 'ipv4' }]),
  connectToSync: (s, { host: address, port }) =>
    s.connectToSync([{ address, port, family: 'ipv4' }]),
  setReuseAddr: (s) => s.setReuseAddr(true),
  getReuseAddr: (s) => s.getReuseAddr(),
  setReusePort: (s) => s.setReusePort(true),
  getReusePort: (s) => s.getReusePort(),
  setNoDelay: (s) => s.setNoDelay(true),
  getNoDelay: (s) => s.getNoDelay(),
  setIpv6Only: (s) => s.setIpv6Only(true),
  getIpv6Only: (s) => s.getIpv6Only(),
  setKeepAlive: (s) => s.setKeepAlive({ count: 3 }),
  getKeepAlive: (s) => s.getKeepAlive(),
  setRecvBufferSize: (s) => s.setRecvBufferSize(30_000),
  getRecvBufferSize: (s) => s.getRecvBufferSize() > 0,
  setSendBufferSize: (s) => s.setSendBufferSize(30_000),
  getSendBufferSize: (s) => s.getSendBufferSize() > 0,
  setCongestion: (s) => s.setCongestion('reno'),
  getCongestion: (s) => s.getCongestion().length > 0,
  setFastOpen: (s) => s.setFastOpen(8),
  getFastOpen: (s) => s.getFastOpen(),
  setUserTimeout: (s) => s.setUserTimeout(5_000),
  getUserTimeout: (s) => s.getUserTimeout(),
  setCloseOnExec: (s) => s.setCloseOnExec(true),
  getCloseOnExec: (s) => s.getCloseOnExec(),
  setNonBlocking: (s) => s.setNonBlocking(true),
  getNonBlocking: (s) => s.getNonBlocking(),
  tcpInfo: (s) => s.tcpInfo().state,
  peerCredentials: (s) => (s.peerCredentials?.pid === process.pid ? 'a peer' : undefined),
  setTimeout: (s) => s.setTimeout(1_000),
  getTimeout: (s) => s.getTimeout(),
  setTimeouts: (s) => s.setTimeouts({ operationTimeout: 1_000 }),
  getTimeouts: (s) => s.getTimeouts().dnsTimeout,
  bytesRead: (s) => s.bytesRead,
  bytesWritten: (s) => s.bytesWritten,
  family: (s) => s.family,
  type: (s) => s.type,
  isBound: (s) => s.isBound,
  isListening: (s) => s.isListening,
  localAddress: (s) => s.localAddress,
  localPort: (s) => (s.localPort === undefined ? undefined : 'a port'),
  remoteAddress: (s) => s.remoteAddress,
  remotePort: (s) => (s.remotePort === undefined ? undefined : 'a port'),
  lendAccepting: (s) => s.lendAccepting({ onClosing: () => {} }).end(),
};

/**
 * For the words in the cells see `outcomeOf`. Where new, bound and connecting sockets do the same,
 * they share the first of six columns: new, connected, half-closed, reset, listening, closed.
 */
const tcp = `
 send                    ~ENOTCONN    1            1            ~ECONNRESET  ~ENOTCONN    ~CLOSED
 sendAll                 ~ENOTCONN    nothing      nothing      ~ECONNRESET  ~ENOTCONN    ~CLOSED
 sendSync                ENOTCONN     1            1            ECONNRESET   ENOTCONN     CLOSED
 sendAllSync             ENOTCONN     nothing      nothing      ECONNRESET   ENOTCONN     CLOSED
 trySend                 ENOTCONN     1            1            ECONNRESET   ENOTCONN     CLOSED
 sendv                   ~ENOTCONN    2            2            ~ECONNRESET  ~ENOTCONN    ~CLOSED
 sendvAll                ~ENOTCONN    nothing      nothing      ~ECONNRESET  ~ENOTCONN    ~CLOSED
 sendvSync               ENOTCONN     2            2            ECONNRESET   ENOTCONN     CLOSED
 sendvAllSync            ENOTCONN     nothing      nothing      ECONNRESET   ENOTCONN     CLOSED
 trySendv                ENOTCONN     2            2            ECONNRESET   ENOTCONN     CLOSED
 recvv                   ~ENOTCONN    waits        ~EOF         ~ECONNRESET  ~ENOTCONN    ~CLOSED
 recvvAll                ~ENOTCONN    waits        ~EOF         ~ECONNRESET  ~ENOTCONN    ~CLOSED
 recvvSync               ENOTCONN     TIMEOUT      EOF          ECONNRESET   ENOTCONN     CLOSED
 recvvAllSync            ENOTCONN     TIMEOUT      EOF          ECONNRESET   ENOTCONN     CLOSED
 tryRecvv                ENOTCONN     null         EOF          ECONNRESET   ENOTCONN     CLOSED
 sendFile                ~ENOTCONN    1            1            ~ECONNRESET  ~ENOTCONN    ~CLOSED
 sendFileAll             ~ENOTCONN    1            1            ~ECONNRESET  ~ENOTCONN    ~CLOSED
 sendFileSync            ENOTCONN     1            1            ECONNRESET   ENOTCONN     CLOSED
 sendFileAllSync         ENOTCONN     1            1            ECONNRESET   ENOTCONN     CLOSED
 trySendFile             ENOTCONN     1            1            ECONNRESET   ENOTCONN     CLOSED
 sendMsg                 ~ENOTCONN    1            1            ~ECONNRESET  ~ENOTCONN    ~CLOSED
 sendMsgSync             ENOTCONN     1            1            ECONNRESET   ENOTCONN     CLOSED
 trySendMsg              ENOTCONN     1            1            ECONNRESET   ENOTCONN     CLOSED
 recvMsg                 ~ENOTCONN    waits        ~EOF         ~ECONNRESET  ~ENOTCONN    ~CLOSED
 recvMsgSync             ENOTCONN     TIMEOUT      EOF          ECONNRESET   ENOTCONN     CLOSED
 tryRecvMsg              ENOTCONN     null         EOF          ECONNRESET   ENOTCONN     CLOSED
 setPassCredentials      ENOTSUP      ENOTSUP      ENOTSUP      ENOTSUP      ENOTSUP      CLOSED
 getPassCredentials      ENOTSUP      ENOTSUP      ENOTSUP      ENOTSUP      ENOTSUP      CLOSED
 recv                    ~ENOTCONN    waits        ~EOF         ~ECONNRESET  ~ENOTCONN    ~CLOSED
 recv(view)              ~ENOTCONN    waits        ~EOF         ~ECONNRESET  ~ENOTCONN    ~CLOSED
 recvSync                ENOTCONN     TIMEOUT      EOF          ECONNRESET   ENOTCONN     CLOSED
 tryRecv                 ENOTCONN     null         EOF          ECONNRESET   ENOTCONN     CLOSED
 recvAll                 ~ENOTCONN    waits        ~EOF         ~ECONNRESET  ~ENOTCONN    ~CLOSED
 recvAllSync             ENOTCONN     TIMEOUT      EOF          ECONNRESET   ENOTCONN     CLOSED
 chunks().next           ~ENOTCONN    waits        the end      ~ECONNRESET  ~ENOTCONN    ~CLOSED
 chunks({ reuse }).next  ~ENOTCONN    waits        the end      ~ECONNRESET  ~ENOTCONN    ~CLOSED
 setBandwidth            nothing      nothing      nothing      nothing      nothing      CLOSED
 getBandwidth            Infinity     Infinity     Infinity     Infinity     Infinity     Infinity
 bandwidthWaitMs         0            0            0            0            0            0
 sendLimited             ~ENOTCONN    1            1            ~ECONNRESET  ~ENOTCONN    ~CLOSED
 sendLimitedSync         ENOTCONN     1            1            ECONNRESET   ENOTCONN     CLOSED
 trySendLimited          ENOTCONN     1            1            ECONNRESET   ENOTCONN     CLOSED
 recvLimited             ~ENOTCONN    waits        ~EOF         ~ECONNRESET  ~ENOTCONN    ~CLOSED
 recvLimited(view)       ~ENOTCONN    waits        ~EOF         ~ECONNRESET  ~ENOTCONN    ~CLOSED
 recvLimitedSync         ENOTCONN     TIMEOUT      EOF          ECONNRESET   ENOTCONN     CLOSED
 tryRecvLimited          ENOTCONN     null         EOF          ECONNRESET   ENOTCONN     CLOSED
 for await               ~ENOTCONN    waits        the end      ~ECONNRESET  waits*       ~CLOSED
 shutdown(read)          ~ENOTCONN    nothing      nothing      ~ENOTCONN    ~ENOTCONN    ~CLOSED
 shutdown(write)         ~ENOTCONN    nothing      nothing      ~ENOTCONN    ~ENOTCONN    ~CLOSED
 shutdown(both)          ~ENOTCONN    nothing      nothing      ~ENOTCONN    ~ENOTCONN    ~CLOSED
 end                     ~ENOTCONN    waits        nothing      ~ENOTCONN    ~ENOTCONN    ~CLOSED
 asyncDispose            nothing      waits        nothing      ~ENOTCONN    nothing      nothing
 dispose                 nothing      nothing      nothing      nothing      nothing      nothing
 close                   nothing      nothing      nothing      nothing      nothing      nothing
 detach                  nothing      nothing      nothing      nothing      nothing      CLOSED
 accept                  ~EINVAL      ~EINVAL      ~EINVAL      ~EINVAL      waits        ~CLOSED
 acceptSync              EINVAL       EINVAL       EINVAL       EINVAL       TIMEOUT      CLOSED
 tryAccept               EINVAL       EINVAL       EINVAL       EINVAL       null         CLOSED
 bindUnix                BAD_VALUE    BAD_VALUE    BAD_VALUE    BAD_VALUE    BAD_VALUE    CLOSED
 connectUnix             BAD_VALUE    BAD_VALUE    BAD_VALUE    BAD_VALUE    BAD_VALUE    BAD_VALUE
 connectUnixSync         BAD_VALUE    BAD_VALUE    BAD_VALUE    BAD_VALUE    BAD_VALUE    BAD_VALUE
 setReuseAddr            nothing      nothing      nothing      nothing      nothing      CLOSED
 setReusePort            nothing      nothing      nothing      nothing      nothing      CLOSED
 setNoDelay              nothing      nothing      nothing      nothing      nothing      CLOSED
 getNoDelay              false        true         true         true         true         CLOSED
 setIpv6Only             ENOPROTOOPT  ENOPROTOOPT  ENOPROTOOPT  ENOPROTOOPT  ENOPROTOOPT  CLOSED
 getReuseAddr            false        false        false        false        true         CLOSED
 getReusePort            false        false        false        false        false        CLOSED
 getIpv6Only             ENOTSUP      ENOTSUP      ENOTSUP      ENOTSUP      ENOTSUP      CLOSED
 setKeepAlive            nothing      nothing      nothing      nothing      nothing      CLOSED
 getKeepAlive            false        false        false        false        false        CLOSED
 setRecvBufferSize       nothing      nothing      nothing      nothing      nothing      CLOSED
 getRecvBufferSize       true         true         true         true         true         CLOSED
 setSendBufferSize       nothing      nothing      nothing      nothing      nothing      CLOSED
 getSendBufferSize       true         true         true         true         true         CLOSED
 setCongestion           nothing      nothing      nothing      nothing      nothing      CLOSED
 getCongestion           true         true         true         true         true         CLOSED
 getFastOpen             0            0            0            0            0            CLOSED
 setUserTimeout          nothing      nothing      nothing      nothing      nothing      CLOSED
 getUserTimeout          Infinity     Infinity     Infinity     Infinity     Infinity     CLOSED
 setCloseOnExec          nothing      nothing      nothing      nothing      nothing      CLOSED
 getCloseOnExec          true         true         true         true         true         CLOSED
 setNonBlocking          nothing      nothing      nothing      nothing      nothing      CLOSED
 getNonBlocking          true         true         true         true         true         CLOSED
 peerCredentials         nothing      nothing      nothing      nothing      nothing      nothing
 setTimeout              nothing      nothing      nothing      nothing      nothing      nothing
 getTimeout              Infinity     Infinity     Infinity     Infinity     Infinity     Infinity
 setTimeouts             nothing      nothing      nothing      nothing      nothing      nothing
 getTimeouts             5000         5000         5000         5000         5000         5000
 ref                     true         true         true         true         true         true
 unref                   true         true         true         true         true         true
 fd                      true         true         true         true         true         false
 family                  ipv4         ipv4         ipv4         ipv4         ipv4         ipv4
 type                    stream       stream       stream       stream       stream       stream
 isConnected             false        true         true         false        false        false
 bytesRead               0            0            0            0            0            0
 bytesWritten            0            0            0            6            0            0
 isListening             false        false        false        false        true         false
 remoteAddress           nothing      127.0.0.1    127.0.0.1    127.0.0.1    nothing      nothing
 remotePort              nothing      a port       a port       a port       nothing      nothing
 sendQueueBytes          0            0            0            0            0            0
 sendQueueMax            16777216     16777216     16777216     16777216     16777216     16777216
 pendingRead             false        false        false        false        false        false
 joinPoll                nothing      nothing      nothing      nothing      nothing      CLOSED
 lendReading             ENOTCONN     nothing      nothing      nothing      ENOTCONN     CLOSED
 lendWriting             ENOTCONN     nothing      nothing      nothing      ENOTCONN     CLOSED
 lendAccepting           EINVAL       EINVAL       EINVAL       EINVAL       nothing      CLOSED

 setFastOpen    nothing    nothing    EINVAL     EINVAL     EINVAL     nothing    nothing    CLOSED
 tcpInfo        closed     closed     syn-sent   established  close-wait  closed   listening  CLOSED
 bind           nothing    EINVAL     EINVAL     EINVAL     EINVAL     nothing    EINVAL     CLOSED
 listen         EDEST      nothing    EINVAL     EINVAL     EINVAL     EINVAL     nothing    CLOSED
 connect        nothing    nothing    ~EALREADY  ~EISCONN   ~EISCONN   ~EISCONN   ~EISCONN   ~CLOSED
 connectSync    nothing    nothing    EALREADY   EISCONN    EISCONN    EISCONN    EISCONN    CLOSED
 connectTo      nothing    nothing    ~EALREADY  ~EISCONN   ~EISCONN   ~EISCONN   ~EISCONN   ~CLOSED
 connectToSync  nothing    nothing    EALREADY   EISCONN    EISCONN    EISCONN    EISCONN    CLOSED
 tryConnect(x)  under way  under way  BUSY       EISCONN    EISCONN    EISCONN    EISCONN    CLOSED
 tryConnect()   BAD_TYPE   BAD_TYPE   BUSY       true       true       true       BAD_TYPE   CLOSED
 isBound        false      true       true       true       true       true       true       false
 localAddress   nothing    127.0.0.1  127.0.0.1  127.0.0.1  127.0.0.1  127.0.0.1  127.0.0.1  nothing
 localPort      nothing    a port     a port     a port     a port     a port     a port     nothing
`;

/** What is different about Unix sockets. */
const unix = `
 send             ~ENOTCONN  1          1          ~EPIPE       ~ENOTCONN  ~CLOSED
 sendAll          ~ENOTCONN  nothing    nothing    ~EPIPE       ~ENOTCONN  ~CLOSED
 sendSync         ENOTCONN   1          1          EPIPE        ENOTCONN   CLOSED
 sendAllSync      ENOTCONN   nothing    nothing    EPIPE        ENOTCONN   CLOSED
 trySend          ENOTCONN   1          1          EPIPE        ENOTCONN   CLOSED
 sendv            ~ENOTCONN  2          2          ~EPIPE       ~ENOTCONN  ~CLOSED
 sendvAll         ~ENOTCONN  nothing    nothing    ~EPIPE       ~ENOTCONN  ~CLOSED
 sendvSync        ENOTCONN   2          2          EPIPE        ENOTCONN   CLOSED
 sendvAllSync     ENOTCONN   nothing    nothing    EPIPE        ENOTCONN   CLOSED
 trySendv         ENOTCONN   2          2          EPIPE        ENOTCONN   CLOSED
 sendLimited      ~ENOTCONN  1          1          ~EPIPE       ~ENOTCONN  ~CLOSED
 sendLimitedSync  ENOTCONN   1          1          EPIPE        ENOTCONN   CLOSED
 trySendLimited   ENOTCONN   1          1          EPIPE        ENOTCONN   CLOSED
 sendFile         ~ENOTCONN  1          1          ~EPIPE       ~ENOTCONN  ~CLOSED
 sendFileAll      ~ENOTCONN  1          1          ~EPIPE       ~ENOTCONN  ~CLOSED
 sendFileSync     ENOTCONN   1          1          EPIPE        ENOTCONN   CLOSED
 sendFileAllSync  ENOTCONN   1          1          EPIPE        ENOTCONN   CLOSED
 trySendFile      ENOTCONN   1          1          EPIPE        ENOTCONN   CLOSED
 sendMsg          ~ENOTCONN  1          1          ~EPIPE       ~ENOTCONN  ~CLOSED
 sendMsgSync      ENOTCONN   1          1          EPIPE        ENOTCONN   CLOSED
 trySendMsg       ENOTCONN   1          1          EPIPE        ENOTCONN   CLOSED
 setPassCredentials  nothing  nothing   nothing    nothing      nothing    CLOSED
 getPassCredentials  false    false     false      false        false      CLOSED
 shutdown(read)   ~ENOTCONN  nothing    nothing    nothing      ~ENOTCONN  ~CLOSED
 shutdown(write)  ~ENOTCONN  nothing    nothing    nothing      ~ENOTCONN  ~CLOSED
 shutdown(both)   ~ENOTCONN  nothing    nothing    nothing      ~ENOTCONN  ~CLOSED
 end              ~ENOTCONN  waits      nothing    ~ECONNRESET  ~ENOTCONN  ~CLOSED
 asyncDispose     nothing    waits      nothing    ~ECONNRESET  nothing    nothing
 bind             BAD_VALUE  BAD_VALUE  BAD_VALUE  BAD_VALUE    BAD_VALUE  BAD_VALUE
 connect          BAD_VALUE  BAD_VALUE  BAD_VALUE  BAD_VALUE    BAD_VALUE  BAD_VALUE
 connectSync      BAD_VALUE  BAD_VALUE  BAD_VALUE  BAD_VALUE    BAD_VALUE  BAD_VALUE
 connectTo        BAD_VALUE  BAD_VALUE  BAD_VALUE  BAD_VALUE    BAD_VALUE  BAD_VALUE
 connectToSync    BAD_VALUE  BAD_VALUE  BAD_VALUE  BAD_VALUE    BAD_VALUE  BAD_VALUE
 tryConnect(x)    BAD_VALUE  BAD_VALUE  BAD_VALUE  BAD_VALUE    BAD_VALUE  BAD_VALUE
 setReusePort     ENOTSUP    ENOTSUP    ENOTSUP    ENOTSUP      ENOTSUP    CLOSED
 setNoDelay       ENOTSUP    ENOTSUP    ENOTSUP    ENOTSUP      ENOTSUP    CLOSED
 getNoDelay       ENOTSUP    ENOTSUP    ENOTSUP    ENOTSUP      ENOTSUP    CLOSED
 setIpv6Only      ENOTSUP    ENOTSUP    ENOTSUP    ENOTSUP      ENOTSUP    CLOSED
 getReusePort     false      false      false      false        false      CLOSED
 getReuseAddr     false      false      false      false        false      CLOSED
 setKeepAlive     ENOTSUP    ENOTSUP    ENOTSUP    ENOTSUP      ENOTSUP    CLOSED
 getKeepAlive     ENOTSUP    ENOTSUP    ENOTSUP    ENOTSUP      ENOTSUP    CLOSED
 setCongestion    ENOTSUP    ENOTSUP    ENOTSUP    ENOTSUP      ENOTSUP    CLOSED
 getCongestion    ENOTSUP    ENOTSUP    ENOTSUP    ENOTSUP      ENOTSUP    CLOSED
 setFastOpen      ENOTSUP    ENOTSUP    ENOTSUP    ENOTSUP      ENOTSUP    CLOSED
 getFastOpen      ENOTSUP    ENOTSUP    ENOTSUP    ENOTSUP      ENOTSUP    CLOSED
 setUserTimeout   ENOTSUP    ENOTSUP    ENOTSUP    ENOTSUP      ENOTSUP    CLOSED
 getUserTimeout   ENOTSUP    ENOTSUP    ENOTSUP    ENOTSUP      ENOTSUP    CLOSED
 tcpInfo          ENOTSUP    ENOTSUP    ENOTSUP    ENOTSUP      ENOTSUP    CLOSED
 peerCredentials  nothing    a peer     a peer     a peer       nothing    nothing
 family           unix       unix       unix       unix         unix       unix
 localPort        nothing    nothing    nothing    nothing      nothing    nothing
 remoteAddress    nothing    @name      @name      @name        nothing    nothing
 remotePort       nothing    nothing    nothing    nothing      nothing    nothing

 bindUnix         nothing  EINVAL   nothing    nothing   nothing   nothing   EINVAL    CLOSED
 listen           EDEST    nothing  EDEST      EDEST     EDEST     EDEST     nothing   CLOSED
 connectUnix      nothing  nothing  ~EALREADY  ~EISCONN  ~EISCONN  ~EISCONN  ~EISCONN  ~CLOSED
 connectUnixSync  nothing  nothing  EALREADY   EISCONN   EISCONN   EISCONN   EISCONN   CLOSED
 isBound          false    true     false      false     false     false     true      false
 localAddress     nothing  @name    nothing    nothing   nothing   nothing   @name     nothing
`;

function parse(table: string): Map<string, string[]> {
  const rows = [...tableOf(table)].map(([name, cells]): [string, string[]] => {
    const [first = ''] = cells;
    return [name, cells.length === states.length ? cells : [first, first, ...cells]];
  });
  return new Map(rows);
}

const tables: Record<Family, Map<string, string[]>> = {
  ipv4: parse(tcp),
  unix: new Map([...parse(tcp), ...parse(unix)]),
};

async function actualRow(family: Family, call: Call): Promise<string[]> {
  const row: string[] = [];
  for (const state of states) {
    const cleanup = new Cleanup();
    try {
      const { localPort: port = 0 } = listening(cleanup).listener;
      const { localAddress: path = '' } = listening(cleanup, 'unix').listener;
      const socket = await socketIn(state, cleanup, family);
      const to = { host: '127.0.0.1', port, path };
      row.push(await outcomeOf(socket, () => call(socket, to), show));
    } finally {
      cleanup.close();
    }
  }
  return row;
}

const byState = (row: readonly string[]) =>
  Object.fromEntries(states.map((state, index) => [state, row[index]]));

describe.each(['ipv4', 'unix'] as const)('a socket of family %s', (family) => {
  it.each(Object.entries(calls))('answers %s as its state demands', async (name, call) => {
    const before = openSockets();
    const expected = tables[family].get(name) ?? [];
    expect(byState(await actualRow(family, call))).toEqual(byState(expected));
    await expectSockets(before);
  });

  it('has no public member that the tables leave out', () => {
    const covered = Object.keys(calls).map((name) => /^\w+/.exec(name)?.[0] ?? '');
    const others = new Set(membersOf(Socket.prototype));
    for (const name of [...covered, ...internalMembers(sources)]) others.delete(name);
    expect([...others]).toEqual([]);
  });
});
