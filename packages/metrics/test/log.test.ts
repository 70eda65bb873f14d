import { channel } from 'node:diagnostics_channel';
import { connect } from '@sock/core';
import { LogLevel, log } from '@sock/metrics';
import { runScript } from '@sock/testing';
import { pino } from 'pino';

afterEach(() => {
  log.setCallback(null);
  log.setLevel(LogLevel.Trace);
});

describe('the log', () => {
  it('hands lines to a function, with what belongs into them', () => {
    const lines: unknown[][] = [];
    log.setCallback((...line) => lines.push(line));
    log.emit(LogLevel.Warn, 'SocketDNS', 'took %d ms for %s', 7, 'example.org');
    log.emit(LogLevel.Info, null, '100%');
    expect(lines).toEqual([
      [LogLevel.Warn, 'SocketDNS', 'took 7 ms for example.org'],
      [LogLevel.Info, null, '100%'],
    ]);
  });

  it('drops what is less grave than its level', () => {
    const told: LogLevel[] = [];
    log.setCallback((level) => told.push(level));
    log.setLevel(LogLevel.Warn);
    for (const level of Object.values(LogLevel)) log.emit(level, null, 'line');
    expect(told).toEqual([LogLevel.Warn, LogLevel.Error, LogLevel.Fatal]);
    expect(log.getLevel()).toBe(LogLevel.Warn);
  });

  it('gets what the packages tell while it has a sink, and is not listened to else', () => {
    const lines: unknown[][] = [];
    const told = channel('sock:dns:log');
    const tell = () => told.publish({ level: LogLevel.Warn, message: 'no', error: new Error('x') });
    expect(told.hasSubscribers).toBe(false);
    log.setCallback((...line) => lines.push(line));
    tell();
    log.setLevel(LogLevel.Error);
    tell();
    log.setCallback(null);
    tell();
    expect(told.hasSubscribers).toBe(false);
    expect(lines).toEqual([[LogLevel.Warn, 'dns', 'no: Error: x']]);
  });

  it('reads the packages by default where NODE_DEBUG names sock', async () => {
    const body = `
      require('@sock/metrics');
      const { connect } = require('@sock/core');
      await connect({ path: '@sock-nobody' }).catch(() => {});
    `;
    const { stderr } = await runScript(body, { env: { NODE_DEBUG: 'sock' } });
    expect(stderr).toMatch(/^SOCK \d+: \[INFO\] core: an attempt .* ECONNREFUSED .*@sock-nobody/);
    expect((await runScript(body)).stderr).toBe('');
  });

  it('takes a logger of the shape of console', () => {
    const warn = jest.spyOn(console, 'warn').mockImplementation(() => {});
    const error = jest.spyOn(console, 'error').mockImplementation(() => {});
    try {
      log.setCallback(console);
      log.emit(LogLevel.Warn, 'core', 'slow');
      log.emit(LogLevel.Fatal, null, 'over');
      expect(warn.mock.calls).toEqual([['core: slow']]);
      expect(error.mock.calls).toEqual([['over']]);
    } finally {
      warn.mockRestore();
      error.mockRestore();
    }
  });

  it('takes a logger of pino as it is, and gives it the component as a field', async () => {
    const lines: unknown[] = [];
    const write = (line: string) => lines.push(JSON.parse(line));
    log.setCallback(pino({ level: 'debug', base: null, timestamp: false }, { write }));
    for (const level of Object.values(LogLevel)) log.emit(level, 'core', 'took %d ms', 7);
    log.emit(LogLevel.Fatal, null, 'over');
    await connect({ path: '@sock-nobody' }).catch(() => {});
    expect(lines).toEqual([
      // What pino itself drops, `trace`, is missing.
      ...[20, 30, 40, 50, 60].map((level) => ({ level, component: 'core', msg: 'took 7 ms' })),
      { level: 60, msg: 'over' },
      { level: 30, component: 'core', msg: expect.stringMatching(/attempt .* ECONNREFUSED/) },
    ]);
  });

  it('survives a callback that throws, and warns of it once', () => {
    const warning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const callback = jest.fn(() => {
      throw new Error('disk full');
    });
    log.setCallback(callback);
    log.emit(LogLevel.Info, null, 'one');
    log.emit(LogLevel.Info, null, 'two');
    expect(callback).toHaveBeenCalledTimes(2);
    const { calls } = warning.mock;
    warning.mockRestore();
    expect(calls).toEqual([[expect.stringContaining('disk full'), { code: 'ERR_SOCK_LOG_SINK' }]]);
  });

  it('lets no operation fail because its sink does', async () => {
    const warning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    try {
      log.setCallback(() => {
        throw new Error('disk full');
      });
      const failed = connect({ path: '@sock-nobody' });
      await expect(failed).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      expect(warning).toHaveBeenCalledTimes(1);
    } finally {
      warning.mockRestore();
    }
  });

  it('drops what a callback logs itself', () => {
    const callback = jest.fn(() => log.emit(LogLevel.Info, null, 'again'));
    log.setCallback(callback);
    log.emit(LogLevel.Info, null, 'once');
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it('names levels, and refuses what is neither level nor sink', () => {
    expect(Object.values(LogLevel).map(log.levelName)).toEqual([
      'TRACE',
      'DEBUG',
      'INFO',
      'WARN',
      'ERROR',
      'FATAL',
    ]);
    expect(log.levelName(6)).toBe('UNKNOWN');
    expect(() => log.setLevel(6 as LogLevel)).toThrow(/level/);
    expect(() => log.emit(-1 as LogLevel, null, '')).toThrow(/level/);
    expect(() => log.setCallback('stderr' as never)).toThrow(/callback/);
    expect(() => log.setCallback({ info() {} } as never)).toThrow(/callback\.trace/);
  });

  it.each([
    ['', ''],
    ['sock', '[ERROR] core: gone'],
  ])('by default writes with NODE_DEBUG=%j only: %j', async (debug, expected) => {
    const { code, stdout, stderr } = await runScript(
      `require('@sock/metrics').log.emit(4, 'core', 'gone');`,
      { env: { NODE_DEBUG: debug } },
    );
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr.replace(/^SOCK \d+: |\n$/g, '')).toBe(expected);
  });
});
