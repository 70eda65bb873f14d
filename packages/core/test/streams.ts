import type * as Core from '@sock/core';
import type * as Native from '@sock/native';
import { describeStream, type StreamPair, useFolder } from '@sock/testing';

type Where = { host: string } | { path: string };

/** Every kind of stream of this package, on one backend, which a process chooses as it loads. */
export function describeStreams(backend: Native.Backend): void {
  process.env.SOCK_BACKEND = backend;
  const { connect, listen, Socket } = require('@sock/core') as typeof Core;
  const { binding } = require('@sock/native') as typeof Native;

  async function connected(where: Where): Promise<StreamPair> {
    const listener = listen(where);
    const target = 'path' in where ? where : { ...where, port: listener.localPort };
    try {
      return await Promise.all([connect(target), listener.accept()]);
    } finally {
      listener.close();
    }
  }

  describe(`the ${backend} backend`, () => {
    const pathTo = useFolder();
    let names = 0;

    it('is the one in use', () => {
      expect(binding.backend).toBe(backend);
    });

    describeStream('TCP over IPv4', () => connected({ host: '127.0.0.1' }));
    describeStream('TCP over IPv6', () => connected({ host: '::1' }));
    describeStream('a Unix path', () => connected({ path: pathTo(String(names++)) }));
    describeStream('an abstract name', () =>
      connected({ path: `@sock-streams-${process.pid}-${backend}-${names++}` }),
    );
    describeStream('Socket.pair', async () => Socket.pair());
  });
}
