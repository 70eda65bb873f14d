// Ours, with batches; variants go by plain messages, or one datagram at a time.
import { DatagramBatch, DatagramSocket } from '@sock/dgram';
import { ACK_EVERY, announce, RECEIVE_BUFFER, readOptions } from './contender.mjs';

const options = readOptions();
const socket = new DatagramSocket({ family: 'ipv4' });

const handlers = {
  async 'udp-echo'() {
    const batch = new DatagramBatch();
    for (;;) {
      await socket.recvBatchInto(batch);
      await socket.sendBatch(batch);
    }
  },

  async 'udp-echo-messages'() {
    for (;;) await socket.sendBatch(await socket.recvBatch());
  },

  async 'udp-echo-single'() {
    for (;;) {
      const { data, address, port } = await socket.recvFrom();
      await socket.sendTo(data, address, port);
    }
  },

  async 'udp-send'() {
    const bytes = Buffer.alloc(2 ** 20);
    for (;;) {
      const { data, address, port } = await socket.recvFrom();
      const length = data.readDoubleLE(0) * options.size;
      await socket.sendSegments(bytes.subarray(0, length), options.size, address, port);
    }
  },

  async 'udp-send-messages'() {
    const bytes = Buffer.alloc(options.size);
    for (;;) {
      const { data, address, port } = await socket.recvFrom();
      const count = data.readDoubleLE(0);
      await socket.sendBatch(new Array(count).fill({ data: bytes, address, port }));
    }
  },

  async 'udp-receive'() {
    socket.setRecvBufferSize(RECEIVE_BUFFER);
    socket.setRecvOffload(true);
    const batch = new DatagramBatch({ size: 65_535 });
    let [total, told] = [0, 0];
    for (;;) {
      const count = await socket.recvBatchInto(batch);
      total += count;
      if (total - told < ACK_EVERY) continue;
      told = total;
      await socket.sendTo(numberOf(total), batch.address(count - 1), batch.port(count - 1));
    }
  },

  async 'udp-receive-messages'() {
    socket.setRecvBufferSize(RECEIVE_BUFFER);
    let [total, told] = [0, 0];
    for (;;) {
      const messages = await socket.recvBatch();
      total += messages.length;
      if (total - told < ACK_EVERY) continue;
      told = total;
      await socket.sendTo(numberOf(total), messages[0].address, messages[0].port);
    }
  },
};

function numberOf(total) {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(total);
  return bytes;
}

socket.bind('127.0.0.1', 0);
announce({ port: socket.localPort, workers: 1, accepted: () => 0 });
const variant = options.variant === '' ? '' : `-${options.variant}`;
await handlers[`${options.workload}${variant}`]();
