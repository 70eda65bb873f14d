/** A name server for one name, whose AAAA answer is late. See RFC 1035, section 4. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

const typeA = 1;
const typeAaaa = 28;
const headerLength = 12;
/** Points to the name of the question. */
const nameOfQuestion = 0xc00c;

/** Behind the name of the only question. */
function typeOf(question: Buffer): { type: number; end: number } {
  let at = headerLength;
  for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) at += length + 1;
  return { type: question.readUInt16BE(at + 1), end: at + 5 };
}

function record(type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(nameOfQuestion, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(60, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function answerTo(question: Buffer, records: readonly Buffer[]): Buffer {
  const { end } = typeOf(question);
  const head = Buffer.from(question.subarray(0, end));
  // An answer, with authority; recursion is there.
  head.writeUInt16BE(0x8580, 2);
  head.writeUInt16BE(records.length, 6);
  head.fill(0, 8, headerLength);
  return Buffer.concat([head, ...records]);
}

export interface NameServer extends Disposable {
  /** As `servers` of a resolver takes it. */
  readonly address: string;
}

export async function openNameServer(
  ipv4: readonly string[],
  ipv6: readonly Buffer[],
  aaaaDelayMs: number,
): Promise<NameServer> {
  const addresses = ipv4.map((text) => Buffer.from(text.split('.').map(Number)));
  const socket: Socket = createSocket('udp4').bind(0, '127.0.0.1');
  const timers = new Set<NodeJS.Timeout>();
  await once(socket, 'listening');
  socket.on('message', (question, { port, address }) => {
    const isLate = typeOf(question).type === typeAaaa;
    const records = isLate
      ? ipv6.map((data) => record(typeAaaa, data))
      : addresses.map((data) => record(typeA, data));
    const send = () => socket.send(answerTo(question, records), port, address);
    timers.add(setTimeout(send, isLate ? aaaaDelayMs : 0));
  });
  return {
    address: `127.0.0.1:${socket.address().port}`,
    [Symbol.dispose]: () => {
      for (const timer of timers) clearTimeout(timer);
      socket.close();
    },
  };
}
