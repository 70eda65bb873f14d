import type * as Core from '@sock/core';
import type * as Native from '@sock/native';
import { describeStream, useFolder } from '@sock/testing';
import type * as Support from './support.js';

const cutOff = {
  'close drops the sends that wait, and tells how far each got':
    'the peer hears that something is missing; tls-socket.test.ts has it in TLS terms',
};
const reset = 'the peer of a Unix socket hears that something is missing: its end is told apart';
const cutOffOfUnix = {
  ...cutOff,
  'a reset reaches the receive that waits, and every later one': reset,
  'an iteration over a stream that was reset rejects rather than ends': reset,
  'bytes that came before a reset are received before it': reset,
};

/** TLS over every kind of socket, on one backend, which a process chooses as it loads. */
export function describeTlsStreams(backend: Native.Backend): void {
  process.env.SOCK_BACKEND = backend;
  const { connect, listen, Socket } = require('@sock/core') as typeof Core;
  const { binding } = require('@sock/native') as typeof Native;
  const { goodSetting, securedPair, tcpPair } = require('./support.js') as typeof Support;

  describe(`the ${backend} backend`, () => {
    const pathTo = useFolder();
    let names = 0;

    beforeAll(goodSetting);

    it('is the one in use', () => {
      expect(binding.backend).toBe(backend);
    });

    describeStream('TLS over TCP', async () => securedPair(await tcpPair()), {
      except: cutOff,
    });
    describeStream('TLS over Socket.pair', async () => securedPair(Socket.pair()), {
      except: cutOffOfUnix,
    });
    const overPath = async () => {
      const path = pathTo(String(names++));
      const listener = listen({ path });
      try {
        return await securedPair(await Promise.all([connect({ path }), listener.accept()]));
      } finally {
        listener.close();
      }
    };
    describeStream('TLS over a Unix path', overPath, { except: cutOffOfUnix });
  });
}
