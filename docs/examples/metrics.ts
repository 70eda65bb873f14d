import { events, LogLevel, log, metrics } from '@sock/metrics';

events.register((record) => {
  if (record.type === 'connect-failed') log.emit(LogLevel.Warn, 'core', '%s', record.error);
});
log.setCallback(console);
log.setLevel(LogLevel.Warn);

console.log(metrics.snapshot().bytes_sent);
