/** What the tests of TLS share. */
import { connect, listen, type Socket } from '@sock/core';
import { Authority, type Issued } from '@sock/testing/authority';
import { TlsContext, TlsSocket } from '@sock/tls';

export interface Setting {
  readonly authority: Authority;
  readonly issued: Issued;
  readonly server: TlsContext;
  readonly client: TlsContext;
}

let made: Promise<Setting> | null = null;

/** A good server and a client that trusts it. */
export function goodSetting(): Promise<Setting> {
  made ??= (async () => {
    const authority = await Authority.create();
    const issued = await authority.issue();
    const server = TlsContext.server(issued);
    const client = TlsContext.client({ ca: authority.cert });
    return { authority, issued, server, client };
  })();
  return made;
}

/** Two TCP sockets that are connected to each other: who connected, and who accepted. */
export async function tcpPair(): Promise<[Socket, Socket]> {
  const listener = listen({ host: '127.0.0.1' });
  try {
    return await Promise.all([
      connect({ host: '127.0.0.1', port: listener.localPort }),
      listener.accept(),
    ]);
  } finally {
    listener.close();
  }
}

/** TLS over two sockets, client first; the handshake is not begun. */
export function enableBoth(
  [near, far]: [Socket, Socket],
  client: TlsContext,
  server: TlsContext,
  hostname = 'localhost',
): [TlsSocket, TlsSocket] {
  return [TlsSocket.enable(near, client, { hostname }), TlsSocket.enable(far, server)];
}

/** Two ends of a connection whose handshake is done. */
export async function securedPair(
  pair?: [Socket, Socket],
  setting?: { client: TlsContext; server: TlsContext },
): Promise<[TlsSocket, TlsSocket]> {
  const { client, server } = setting ?? (await goodSetting());
  const ends = enableBoth(pair ?? (await tcpPair()), client, server);
  await Promise.all(ends.map((end) => end.handshake({ timeout: 20_000 })));
  return ends;
}
