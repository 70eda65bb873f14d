// node:dgram, written as its documentation suggests.
import { createSocket } from 'node:dgram';
import { ACK_EVERY, announce, RECEIVE_BUFFER, readOptions } from './contender.mjs';

const options = readOptions();
const socket = createSocket('udp4');
const bytes = Buffer.alloc(options.size);
let [total, told] = [0, 0];

const handlers = {
  'udp-echo': (data, { address, port }) => socket.send(data, port, address),

  'udp-send': (data, { address, port }) => {
    const count = data.readDoubleLE(0);
    for (let i = 0; i < count; i++) socket.send(bytes, port, address);
  },

  'udp-receive': (_, { address, port }) => {
    total++;
    if (total - told < ACK_EVERY) return;
    told = total;
    const answer = Buffer.alloc(8);
    answer.writeDoubleLE(total);
    socket.send(answer, port, address);
  },
};

socket.on('message', handlers[options.workload]);
socket.bind({ address: '127.0.0.1', port: 0 }, () => {
  if (options.workload === 'udp-receive') socket.setRecvBufferSize(RECEIVE_BUFFER);
  announce({ port: socket.address().port, workers: 1, accepted: () => 0 });
});
