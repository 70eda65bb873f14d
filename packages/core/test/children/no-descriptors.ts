/** Uses up every descriptor, and reports what opening another one says, in each way of opening. */
import { connect, listen, Socket } from '@sock/core';

const codeOf = (error: unknown): unknown => (error as NodeJS.ErrnoException).code;

function codeOfCall(call: () => unknown): unknown {
  try {
    call();
    return 'nothing';
  } catch (error) {
    return codeOf(error);
  }
}

async function main(): Promise<void> {
  const held: Socket[] = [];
  while (codeOfCall(() => held.push(new Socket({ family: 'ipv4' }))) === 'nothing');
  const codes = [
    codeOfCall(() => new Socket({ family: 'unix' })),
    codeOfCall(() => Socket.pair()),
    codeOfCall(() => listen({ host: '127.0.0.1' })),
    await connect({ host: '127.0.0.1', port: 1 }).then(() => 'nothing', codeOf),
  ];
  console.log(JSON.stringify(codes));
  for (const socket of held) socket.close();
}

void main();
