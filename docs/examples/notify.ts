import { DatagramSocket } from '@sock/dgram';

/** sd_notify(3): tells the service manager of systemd how this service is. */
function notify(state: string): void {
  const path = process.env.NOTIFY_SOCKET;
  if (path === undefined) return;
  using socket = new DatagramSocket({ family: 'unix' });
  socket.trySendTo(state, path);
}

/** One line for syslog(3) (RFC 3164): facility 3 is daemons, severity 6 is information. */
function log(text: string, path = '/dev/log'): void {
  using socket = new DatagramSocket({ family: 'unix' });
  socket.trySendTo(`<${3 * 8 + 6}>example[${process.pid}]: ${text}`, path);
}

// What would be systemd, and the daemon of the log.
using manager = new DatagramSocket({ family: 'unix' });
using journal = new DatagramSocket({ family: 'unix' });
manager.bindUnix();
journal.bindUnix();
process.env.NOTIFY_SOCKET = manager.localAddress;

notify('READY=1\nSTATUS=listening');
log('listening', journal.localAddress);
console.log(
  String(await manager.recv())
    .split('\n')
    .join(', '),
);
console.log(String(await journal.recv()).replace(/\d+\]/, 'pid]'));
