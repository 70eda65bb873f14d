import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, listen } from '@sock/core';

// A path, whose file goes away with the listener; or, on Linux, a name that needs no file.
for (const path of [join(tmpdir(), `hello-${process.pid}.sock`), `@hello-${process.pid}`]) {
  const server = listen({ path });
  const [client, connection] = await Promise.all([connect({ path }), server.accept()]);
  await client.sendAll('hello');
  console.log(`${await connection.recv()}`);
  for (const socket of [client, connection, server]) socket.close();
}
