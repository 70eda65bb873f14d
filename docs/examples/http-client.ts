import { once } from 'node:events';
import http from 'node:http';
import type { Duplex } from 'node:stream';
import { connect, toDuplex } from '@sock/core';

class Agent extends http.Agent {
  override createConnection(
    { host, port }: http.ClientRequestArgs,
    done?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    connect({ host: host ?? 'localhost', port: Number(port) }).then(
      (socket) => done?.(null, toDuplex(socket)),
      (error: Error) => done?.(error, undefined as never),
    );
  }
}

const agent = new Agent({ keepAlive: true });
const url = `http://127.0.0.1:${process.env.PORT ?? 8080}/page`;
const [response] = (await once(http.get(url, { agent }), 'response')) as [http.IncomingMessage];
for await (const chunk of response) process.stdout.write(chunk);
agent.destroy();
