// Bun.udpSocket; what is sent in numbers goes by sendMany. It sets no size of its buffer.
import { ACK_EVERY, announce, readOptions } from './contender.mjs';

const options = readOptions();
const bytes = Buffer.alloc(options.size);
let [total, told] = [0, 0];

const handlers = {
  'udp-echo': (socket, data, port, address) => socket.send(data, port, address),

  'udp-send': (socket, data, port, address) => {
    const count = data.readDoubleLE(0);
    socket.sendMany(Array.from({ length: count }, () => [bytes, port, address]).flat());
  },

  'udp-receive': (socket, _, port, address) => {
    total++;
    if (total - told < ACK_EVERY) return;
    told = total;
    const answer = Buffer.alloc(8);
    answer.writeDoubleLE(total);
    socket.send(answer, port, address);
  },
};

const server = await globalThis.Bun.udpSocket({
  hostname: '127.0.0.1',
  // A load that ends leaves answers that nobody takes.
  socket: { data: handlers[options.workload], error: () => {} },
});
announce({ port: server.port, workers: 1, accepted: () => 0 });
