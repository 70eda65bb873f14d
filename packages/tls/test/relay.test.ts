import { relay } from '@sock/core';
import { failureOf, useCleanup } from '@sock/testing';
import { securedPair, tcpPair } from './support.js';

const { add: closing } = useCleanup();

it('a relay decrypts what comes over TLS, encrypts what goes there, in either place', async () => {
  for (const isFirst of [true, false]) {
    const [client, ours] = await securedPair();
    const [theirs, backend] = await tcpPair();
    for (const each of [client, ours, theirs, backend]) closing(each);
    const joined = isFirst ? relay(ours, theirs) : relay(theirs, ours);
    await client.sendAll('question');
    expect((await backend.recvAll(8)).toString()).toBe('question');
    await backend.sendAll('answer');
    expect((await client.recvAll(6)).toString()).toBe('answer');
    await client.shutdown();
    expect(await failureOf(backend.recv())).toMatchObject({ code: 'ERR_SOCK_EOF' });
    await backend.shutdown();
    expect(await failureOf(client.recv())).toMatchObject({ code: 'ERR_SOCK_EOF' });
    expect(await joined).toEqual(isFirst ? { aToB: 8, bToA: 6 } : { aToB: 6, bToA: 8 });
  }
});
