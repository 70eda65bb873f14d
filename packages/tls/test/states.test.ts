/** Every public member of a TlsSocket, in every state: what it does there. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Socket } from '@sock/core';
import {
  Cleanup,
  expectSockets,
  internalMembers,
  membersOf,
  openSockets,
  outcomeOf,
  streamCalls,
  tableOf,
  turns,
} from '@sock/testing';
import { TlsHandshakeState, TlsSocket } from '@sock/tls';
import { goodSetting, securedPair, tcpPair } from './support.js';

const states = [
  'new',
  'in a handshake',
  'refused',
  'connected',
  'ended by its peer',
  'cut off by its peer',
  'reset by its peer',
  'closed',
] as const;
type State = (typeof states)[number];

/** A word from the server, since what its handshake has left behind comes before that. */
async function settle(near: TlsSocket, far: TlsSocket): Promise<void> {
  await far.sendAll('x');
  await near.recv();
}

async function connectedPair({ add }: Cleanup): Promise<[TlsSocket, TlsSocket]> {
  const [near, far] = await securedPair();
  await settle(add(near), add(far));
  return [near, far];
}

/** A client over a connection at whose other end there is no TLS, so far. */
async function clientOnly({ add }: Cleanup): Promise<[TlsSocket, Socket]> {
  const { client } = await goodSetting();
  const [below, far] = await tcpPair();
  return [add(TlsSocket.enable(below, client, { hostname: 'localhost' })), add(far)];
}

async function carry(from: Socket, to: Socket): Promise<void> {
  for await (const chunk of from) await to.sendAll(chunk);
}

/** A client that is connected by way of somebody who only carries bytes, and their end of it. */
async function connectedThroughMiddle(cleanup: Cleanup): Promise<[TlsSocket, Socket]> {
  const { server } = await goodSetting();
  const [near, middle] = await clientOnly(cleanup);
  const [other, below] = await tcpPair();
  cleanup.add(other);
  const far = cleanup.add(TlsSocket.enable(below, server));
  carry(middle, other).catch(() => {});
  carry(other, middle).catch(() => {});
  await Promise.all([near.handshake(), far.handshake()]);
  await settle(near, far);
  return [near, middle];
}

/** The client's end of a connection in that state. */
async function socketIn(state: State, cleanup: Cleanup): Promise<TlsSocket> {
  switch (state) {
    case 'new':
      return (await clientOnly(cleanup))[0];
    case 'in a handshake': {
      const [near] = await clientOnly(cleanup);
      // Ends with the socket, when the test is over.
      near.handshake().catch(() => {});
      return near;
    }
    case 'refused': {
      const [near, far] = await clientOnly(cleanup);
      await far.sendAll('no TLS at all, but long enough to see it');
      await near.handshake().catch(() => {});
      return near;
    }
    case 'connected':
      return (await connectedPair(cleanup))[0];
    case 'ended by its peer': {
      const [near, far] = await connectedPair(cleanup);
      await far.shutdown('write');
      await turns(1);
      return near;
    }
    case 'cut off by its peer': {
      const [near, middle] = await connectedThroughMiddle(cleanup);
      await middle.shutdown('write');
      await turns(1);
      return near;
    }
    case 'reset by its peer': {
      const [near, far] = await connectedPair(cleanup);
      await near.sendAll('unread');
      far.close();
      await turns(1);
      return near;
    }
    case 'closed': {
      const [near] = await connectedPair(cleanup);
      near.close();
      return near;
    }
  }
}

/** What a value looks like in the table below. */
function show(value: unknown): string {
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof X509Certificate) return 'a cert';
  if (value === undefined) return 'nothing';
  const isEnd =
    typeof value === 'object' && value !== null && 'done' in value && value.done === true;
  return isEnd ? 'the end' : String(value);
}

function nameOf(state: TlsHandshakeState): string | undefined {
  return Object.entries(TlsHandshakeState).find(([, value]) => value === state)?.[0];
}

const atOnce = { timeout: 0 };
const calls: Record<string, (socket: TlsSocket) => unknown> = {
  ...streamCalls(),
  handshake: (s) => s.handshake(),
  handshakeSync: (s) => s.handshakeSync(atOnce),
  tryHandshake: (s) => nameOf(s.tryHandshake()),
  setHostname: (s) => s.setHostname('localhost'),
  handshakeState: (s) => nameOf(s.handshakeState),
  version: (s) => s.version,
  cipher: (s) => s.cipher?.slice(4, 7),
  alpnProtocol: (s) => s.alpnProtocol,
  isSessionReused: (s) => s.isSessionReused,
  verifyResult: (s) => s.verifyResult,
  ocspStatus: (s) => s.ocspStatus,
  session: (s) => s.session,
  peerCertificate: (s) => s.peerCertificate,
  remoteAddress: (s) => s.remoteAddress,
  remotePort: (s) => (s.remotePort === undefined ? undefined : 'a port'),
  localAddress: (s) => s.localAddress,
  localPort: (s) => (s.localPort === undefined ? undefined : 'a port'),
  bytesRead: (s) => (s.bytesRead > 0 ? 'some' : s.bytesRead),
  bytesWritten: (s) => (s.bytesWritten > 0 ? 'some' : s.bytesWritten),
};

/**
 * For the words in the cells see `outcomeOf`. NEEDED, REFUSED and TRUNCATED are short for
 * ERR_SOCK_TLS_HANDSHAKE_NEEDED, _HANDSHAKE and _TRUNCATED; ACTIVE is for _ACTIVE, New for
 * NotStarted. Where a socket without a handshake does the same in its three states, they share the
 * first of six columns: without, connected, ended, cut off, reset, closed.
 */
const table = tableOf(`
 send                    ~NEEDED    1          1          1           ~ECONNRESET  ~CLOSED
 sendAll                 ~NEEDED    nothing    nothing    nothing     ~ECONNRESET  ~CLOSED
 sendSync                NEEDED     1          1          1           ECONNRESET   CLOSED
 sendAllSync             NEEDED     nothing    nothing    nothing     ECONNRESET   CLOSED
 trySend                 NEEDED     1          1          1           ECONNRESET   CLOSED
 sendv                   ~NEEDED    2          2          2           ~ECONNRESET  ~CLOSED
 sendvAll                ~NEEDED    nothing    nothing    nothing     ~ECONNRESET  ~CLOSED
 sendvSync               NEEDED     2          2          2           ECONNRESET   CLOSED
 sendvAllSync            NEEDED     nothing    nothing    nothing     ECONNRESET   CLOSED
 trySendv                NEEDED     2          2          2           ECONNRESET   CLOSED
 sendFile                ~NEEDED    1          1          1           ~ECONNRESET  ~CLOSED
 sendFileAll             ~NEEDED    1          1          1           ~ECONNRESET  ~CLOSED
 sendFileSync            NEEDED     1          1          1           ECONNRESET   CLOSED
 sendFileAllSync         NEEDED     1          1          1           ECONNRESET   CLOSED
 trySendFile             NEEDED     1          1          1           ECONNRESET   CLOSED
 recv                    ~NEEDED    waits      ~EOF       ~TRUNCATED  ~ECONNRESET  ~CLOSED
 recv(view)              ~NEEDED    waits      ~EOF       ~TRUNCATED  ~ECONNRESET  ~CLOSED
 recvSync                NEEDED     TIMEOUT    EOF        TRUNCATED   ECONNRESET   CLOSED
 tryRecv                 NEEDED     null       EOF        TRUNCATED   ECONNRESET   CLOSED
 recvAll                 ~NEEDED    waits      ~EOF       ~TRUNCATED  ~ECONNRESET  ~CLOSED
 recvAllSync             NEEDED     TIMEOUT    EOF        TRUNCATED   ECONNRESET   CLOSED
 recvv                   ~NEEDED    waits      ~EOF       ~TRUNCATED  ~ECONNRESET  ~CLOSED
 recvvAll                ~NEEDED    waits      ~EOF       ~TRUNCATED  ~ECONNRESET  ~CLOSED
 recvvSync               NEEDED     TIMEOUT    EOF        TRUNCATED   ECONNRESET   CLOSED
 recvvAllSync            NEEDED     TIMEOUT    EOF        TRUNCATED   ECONNRESET   CLOSED
 tryRecvv                NEEDED     null       EOF        TRUNCATED   ECONNRESET   CLOSED
 chunks().next           ~NEEDED    waits      the end    ~TRUNCATED  ~ECONNRESET  ~CLOSED
 chunks({ reuse }).next  ~NEEDED    waits      the end    ~TRUNCATED  ~ECONNRESET  ~CLOSED
 for await               ~NEEDED    waits      the end    ~TRUNCATED  ~ECONNRESET  ~CLOSED
 shutdown(read)          ~NEEDED    nothing    nothing    nothing     nothing      ~CLOSED
 shutdown(write)         ~NEEDED    nothing    nothing    nothing     ~ECONNRESET  ~CLOSED
 shutdown(both)          ~NEEDED    nothing    nothing    nothing     ~ECONNRESET  ~CLOSED
 end                     ~NEEDED    waits      nothing    ~TRUNCATED  ~ECONNRESET  ~CLOSED
 asyncDispose            nothing    waits      nothing    ~TRUNCATED  ~ECONNRESET  nothing
 dispose                 nothing    nothing    nothing    nothing     nothing      nothing
 close                   nothing    nothing    nothing    nothing     nothing      nothing
 pendingRead             false      false      false      false       false        false
 joinPoll                nothing    nothing    nothing    nothing     nothing      CLOSED
 lendReading             NEEDED     nothing    nothing    nothing     nothing      CLOSED
 lendWriting             NEEDED     nothing    nothing    nothing     nothing      CLOSED
 isConnected             false      true       true       true        false        false
 version                 nothing    TLSv1.3    TLSv1.3    TLSv1.3     TLSv1.3      nothing
 cipher                  nothing    AES        AES        AES         AES          nothing
 alpnProtocol            nothing    nothing    nothing    nothing     nothing      nothing
 isSessionReused         false      false      false      false       false        false
 verifyResult            nothing    0          0          0           0            nothing
 ocspStatus              nothing    nothing    nothing    nothing     nothing      nothing
 session                 nothing    bytes      bytes      bytes       bytes        nothing
 peerCertificate         nothing    a cert     a cert     a cert      a cert       nothing
 fd                      true       true       true       true        true         false
 remoteAddress           127.0.0.1  127.0.0.1  127.0.0.1  127.0.0.1   127.0.0.1    nothing
 remotePort              a port     a port     a port     a port      a port       nothing
 localAddress            127.0.0.1  127.0.0.1  127.0.0.1  127.0.0.1   127.0.0.1    nothing
 localPort               a port     a port     a port     a port      a port       nothing
 sendQueueBytes          0          0          0          0           0            0
 sendQueueMax            16777216   16777216   16777216   16777216    16777216     16777216
 ref                     true       true       true       true        true         true
 unref                   true       true       true       true        true         true

 handshake       waits     ~BUSY       ~REFUSED  nothing   nothing   nothing   nothing   ~CLOSED
 handshakeSync   TIMEOUT   BUSY        REFUSED   nothing   nothing   nothing   nothing   CLOSED
 tryHandshake    WantRead  BUSY        REFUSED   Complete  Complete  Complete  Complete  CLOSED
 setHostname     nothing   ACTIVE      ACTIVE    ACTIVE    ACTIVE    ACTIVE    ACTIVE    CLOSED
 handshakeState  New       InProgress  Error     Complete  Complete  Complete  Complete  Complete
 bytesRead       0         0           some      some      some      some      some      some
 bytesWritten    0         some        some      some      some      some      some      some
`);

function expectedRow(name: string): string[] {
  const cells = table.get(name) ?? [];
  const [first = ''] = cells;
  return cells.length === states.length ? cells : [first, first, ...cells];
}

function inShort(outcome: string): string {
  return outcome
    .replace('TLS_HANDSHAKE_NEEDED', 'NEEDED')
    .replace('TLS_HANDSHAKE', 'REFUSED')
    .replace('TLS_TRUNCATED', 'TRUNCATED')
    .replace('TLS_ACTIVE', 'ACTIVE')
    .replace('NotStarted', 'New');
}

async function actualRow(call: (socket: TlsSocket) => unknown): Promise<string[]> {
  const row: string[] = [];
  for (const state of states) {
    const cleanup = new Cleanup();
    try {
      const socket = await socketIn(state, cleanup);
      row.push(inShort(await outcomeOf(socket, () => call(socket), show)));
    } finally {
      cleanup.run();
    }
  }
  return row;
}

const byState = (row: readonly string[]) =>
  Object.fromEntries(states.map((state, index) => [state, row[index]]));

describe('a TlsSocket', () => {
  it.each(Object.entries(calls))('answers %s as its state demands', async (name, call) => {
    const before = openSockets();
    expect(byState(await actualRow(call))).toEqual(byState(expectedRow(name)));
    await expectSockets(before);
  });

  it('has no public member that the table leaves out', () => {
    const covered = Object.keys(calls).map((name) => /^\w+/.exec(name)?.[0] ?? '');
    const sources = [
      join(__dirname, '..', 'src', 'tls-socket.ts'),
      ...['stream', 'vector-stream', 'file-stream'].map((name) =>
        join(__dirname, '..', '..', 'core', 'src', `${name}.ts`),
      ),
    ].map((path) => readFileSync(path, 'utf8'));
    const others = new Set(membersOf(TlsSocket.prototype));
    for (const name of [...covered, ...internalMembers(sources)]) others.delete(name);
    expect([...others]).toEqual([]);
  });
});
