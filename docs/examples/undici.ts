import type net from 'node:net';
import { connect, toDuplex } from '@sock/core';
import { Agent, request } from 'undici';

const dispatcher = new Agent({
  connect: ({ hostname, port }, done) => {
    connect({ host: hostname, port: Number(port) }).then(
      // undici's declaration says net.Socket; it uses what the duplex has.
      (socket) => done(null, toDuplex(socket) as unknown as net.Socket),
      (error: Error) => done(error, null),
    );
  },
});

const { body } = await request(`http://127.0.0.1:${process.env.PORT ?? 8080}/`, { dispatcher });
console.log((await body.text()).trim());
await dispatcher.close();
