export { DatagramBatch, type DatagramBatchOptions } from './batch.js';
export type { ReceiveBatchOptions, ReceiveBatchSyncOptions } from './batch-socket.js';
export type { DatagramSender, DatagramSenderOptions } from './datagram-sender.js';
export { DatagramSocket, type DatagramSocketOptions } from './datagram-socket.js';
export type { Arrival, Datagram, ReceivedDatagram } from './datagrams.js';
export type { DatagramSocketEvent } from './diagnostics.js';
export type { DatagramFailure } from './error-queue.js';
export type { Interface } from './multicast-socket.js';
export type { MtuDiscovery } from './tunable-socket.js';
