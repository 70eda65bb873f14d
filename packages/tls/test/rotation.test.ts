import { randomBytes } from 'node:crypto';
import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { failureOf, thrownBy, until, useCleanup, useFolder } from '@sock/testing';
import { Authority, type Issued } from '@sock/testing/authority';
import {
  connectTls,
  listenTls,
  TlsContext,
  type TlsFiles,
  type TlsListener,
  type TlsSocket,
  TlsVerifyMode,
  watchTlsFiles,
} from '@sock/tls';
import { goodSetting } from './support.js';

async function echo(socket: TlsSocket): Promise<void> {
  for await (const chunk of socket) await socket.sendAll(chunk);
  socket.close();
}

async function serve(listener: TlsListener): Promise<void> {
  for await (const socket of listener) void echo(socket).catch(() => socket.close());
}

async function ask(socket: TlsSocket): Promise<void> {
  await socket.sendAll('hello');
  expect((await socket.recvAll(5)).toString()).toBe('hello');
}

describe('files of a context', () => {
  const { add: closing } = useCleanup();
  const inFolder = useFolder();
  const certificate = (): { cert: string; key: string } => ({
    cert: inFolder('tls.crt'),
    key: inFolder('tls.key'),
  });

  function write({ cert, key }: Issued): void {
    writeFileSync(certificate().cert, cert);
    writeFileSync(certificate().key, key);
  }

  async function issue(): Promise<Issued> {
    return (await goodSetting()).authority.issue();
  }

  function watch(context: TlsContext, files: TlsFiles, interval = Number.POSITIVE_INFINITY) {
    return closing(watchTlsFiles(context, files, { interval }));
  }

  /** The certificate that a new connection sees. */
  async function shown(context: TlsContext): Promise<string | undefined> {
    const { client } = await goodSetting();
    const listener = listenTls({ host: '127.0.0.1', context });
    const accepting = listener.accept();
    const near = await connectTls({ host: 'localhost', port: listener.localPort, context: client });
    const text = near.peerCertificate?.toString();
    for (const end of [near, await accepting, listener]) end.close();
    return text;
  }

  it('are read at once, and again when they have changed', async () => {
    const [first, second] = [await issue(), await issue()];
    write(first);
    const context = TlsContext.server();
    const watching = watch(context, { certificate: certificate() });
    expect(await shown(context)).toBe(first.cert);
    expect(await watching.check()).toBe(0);
    write(second);
    expect(await watching.check()).toBe(1);
    expect(await shown(context)).toBe(second.cert);
  });

  it('stay what they were while a certificate waits for its key', async () => {
    const [first, second] = [await issue(), await issue()];
    write(first);
    const context = TlsContext.server();
    const watching = watch(context, { certificate: certificate() });
    writeFileSync(certificate().cert, second.cert);
    expect(await watching.check()).toBe(0);
    expect(watching.lastError).toMatchObject({ code: 'ERR_SOCK_TLS_SETTING' });
    rmSync(certificate().key);
    expect(await watching.check()).toBe(0);
    expect(watching.lastError).toMatchObject({ code: 'ENOENT' });
    expect(await shown(context)).toBe(first.cert);
    writeFileSync(certificate().key, second.key);
    expect(await watching.check()).toBe(1);
    expect(watching.lastError).toBeUndefined();
    expect(await shown(context)).toBe(second.cert);
  });

  it('are found anew behind a link that is switched', async () => {
    const [first, second] = [await issue(), await issue()];
    const names = [first, second].map(({ cert, key }, index) => {
      writeFileSync(inFolder(`${index}.pem`), cert + key);
      return inFolder(`${index}.pem`);
    });
    const link = inFolder('live.pem');
    symlinkSync(names[0] as string, link);
    const context = TlsContext.server();
    const watching = watch(context, { named: { localhost: { cert: link, key: link } } });
    symlinkSync(names[1] as string, inFolder('next'));
    renameSync(inFolder('next'), link);
    expect(await watching.check()).toBe(1);
    expect(await shown(context)).toBe(second.cert);
  });

  it('are looked at again and again, until the watch is closed', async () => {
    const [first, second] = [await issue(), await issue()];
    write(first);
    const context = TlsContext.server();
    const watching = watch(context, { certificate: certificate() }, 10);
    write(second);
    while ((await shown(context)) !== second.cert);
    watching.close();
    watching.close();
    write(first);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await shown(context)).toBe(second.cert);
  });

  it('bring authorities and revocations of peers', async () => {
    const { authority } = await goodSetting();
    const [ours, theirs] = [await issue(), await issue()];
    writeFileSync(inFolder('ca.pem'), authority.cert);
    writeFileSync(inFolder('crl.pem'), await authority.revocations());
    const context = TlsContext.server(ours);
    context.setVerifyMode(TlsVerifyMode.Peer | TlsVerifyMode.FailIfNoPeerCert);
    const watching = watch(context, { ca: [inFolder('ca.pem')], crl: inFolder('crl.pem') });
    const errors: unknown[] = [];
    const onError = (error: unknown): void => void errors.push(error);
    const listener = closing(listenTls({ host: '127.0.0.1', context, onError }));
    void serve(listener);
    const client = TlsContext.client({ ca: authority.cert, ...theirs });
    const target = { host: 'localhost', port: listener.localPort, context: client };
    await ask(closing(await connectTls(target)));
    writeFileSync(inFolder('crl.pem'), await authority.revocations({ revoked: [theirs] }));
    expect(await watching.check()).toBe(1);
    const refused = closing(await connectTls(target));
    expect(await failureOf(refused.recv())).toMatchObject({ alert: 'certificate_revoked' });
    await until(5_000, () => errors.length > 0);
    expect(errors).toMatchObject([{ problemName: 'CERT_REVOKED' }]);
  });

  it('have to be there, and to be files', async () => {
    const context = TlsContext.server();
    const refusal = (files: unknown): unknown =>
      thrownBy(() => watchTlsFiles(context, files as TlsFiles));
    expect(refusal({ certificate: certificate() })).toMatchObject({ code: 'ENOENT' });
    expect(refusal({})).toMatchObject({ message: expect.stringContaining('"files"') });
    expect(refusal({ certificate: { cert: (await issue()).cert, key: 'x' } })).toMatchObject({
      message: expect.stringContaining('"files.certificate.cert"'),
    });
    expect(refusal({ ca: [7] })).toMatchObject({
      message: expect.stringContaining('"files.ca[0]"'),
    });
    expect(thrownBy(() => watchTlsFiles(context, { ca: 'x' }, { interval: 0 }))).toMatchObject({
      message: expect.stringContaining('"options.interval"'),
    });
  });
});

describe('a listener under load', () => {
  const { add: closing } = useCleanup();
  const requests = 2_000;
  const requestsEachSecond = 1_000;
  const requestsEachVisit = 25;

  /** Waits until a request is due; one that is late goes at once. */
  function pacer(): (request: number) => Promise<void> {
    const startMs = performance.now();
    return async (request) => {
      const leftMs = startMs + (request * 1_000) / requestsEachSecond - performance.now();
      if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
    };
  }

  it('loses no connection and no request while everything is replaced', async () => {
    const { authority } = await goodSetting();
    const other = await Authority.create('another root');
    const identities = await Promise.all([1, 2, 3, 4].map(() => authority.issue()));
    const [first, second, third, stranger] = identities as [Issued, Issued, Issued, Issued];
    const lists = [
      await authority.revocations(),
      await authority.revocations({ revoked: [stranger] }),
    ];
    const context = TlsContext.server({ ...first, ca: authority.cert });
    context.setVerifyMode(TlsVerifyMode.FailIfNoPeerCert);
    const errors: unknown[] = [];
    const onError = (error: unknown): void => void errors.push(error);
    const listener = closing(listenTls({ host: '127.0.0.1', context, onError }));
    void serve(listener);
    const client = TlsContext.client({ ca: authority.cert, ...first });
    client.enableSessionCache();
    const target = { host: 'localhost', port: listener.localPort, context: client };
    const old = closing(await connectTls(target));

    const due = pacer();
    const seen = new Set<string | undefined>();
    let taken = 0;
    let answered = 0;
    const visit = async (): Promise<void> => {
      while (taken < requests) {
        const socket = await connectTls(target);
        seen.add(socket.peerCertificate?.serialNumber);
        for (let count = 0; count < requestsEachVisit && taken < requests; count++) {
          await due(taken++);
          await ask(socket);
          answered++;
        }
        await socket.end();
      }
    };
    const visits = Promise.all(Array.from({ length: 12 }, visit));
    let rounds = 0;
    for (; answered < requests; rounds++) {
      const forAll = [first, second, third][rounds % 3] as Issued;
      const forName = [third, first, second][rounds % 3] as Issued;
      context.loadCertificate(forAll.cert, forAll.key);
      context.addCertificate('localhost', rounds % 2 === 0 ? forName : null);
      context.loadCa(rounds % 2 === 0 ? [authority.cert, other.cert] : authority.cert);
      context.refreshCrl(lists[rounds % 2] as string);
      context.enableSessionTickets(randomBytes(80));
      const enough = Math.min(answered + 40, requests);
      await Promise.race([visits, until(30_000, () => answered >= enough)]);
    }
    await visits;
    expect({ errors, answered }).toEqual({ errors: [], answered: requests });
    expect(rounds).toBeGreaterThan(10);
    expect(seen.size).toBe(3);

    // Nobody new is trusted any more; who is there stays.
    context.loadCa(other.cert);
    const refused = closing(await connectTls(target));
    expect(await failureOf(refused.recv())).toMatchObject({ alert: 'unknown_ca' });
    await ask(old);
    expect(old.peerCertificate?.toString()).toBe(first.cert);
  });
});
