/** What a duplex does beside what a `net.Socket` does in the same place: the same, in order. */

import { finished, pipeline, Readable, Writable } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { DuplexOptions } from '@sock/core';
import { expectSockets, openSockets, until, within } from '@sock/testing';
import { duplexPair, event, netPair, type Pair } from './support/duplex.js';
import { Cleanup } from './support/states.js';

type Log = (entry: string) => void;
interface Scenario {
  readonly options?: DuplexOptions;
  readonly run: (pair: Pair, log: Log) => unknown;
}

/** More than the kernel keeps for both sides of a connection on loopback. */
const tooMuch = Buffer.alloc(64 * 1024 * 1024, 'x');

function codeOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}

/** Notes every event, each run of 'data' once. */
function watch({ subject }: Pair, log: Log): void {
  for (const name of ['end', 'finish', 'timeout', 'drain'] as const) {
    subject.on(name, () => log(name));
  }
  subject.on('error', (error) => log(`error ${codeOf(error)}`));
  subject.on('close', (hadError: boolean) => log(`close ${hadError}`));
}

const written = (log: Log, name = 'written') => {
  return (error?: Error | null) => log(error ? `${name} ${codeOf(error)}` : name);
};

/** What the peer sees of the end: an orderly one, or a broken connection. */
async function peerEnding({ peer }: Pair, log: Log): Promise<void> {
  peer.on('end', () => log('peer: end'));
  peer.on('error', (error) => log(`peer: ${codeOf(error)}`));
  peer.resume();
}

const state = ({ subject }: Pair) =>
  [
    subject.readyState,
    subject.readable && 'readable',
    subject.writable && 'writable',
    subject.destroyed && 'destroyed',
    subject.closed && 'closed',
    subject.readableEnded && 'readableEnded',
    subject.writableEnded && 'writableEnded',
    subject.writableFinished && 'writableFinished',
    subject.errored && 'errored',
  ]
    .filter(Boolean)
    .join(' ');

const scenarios: Record<string, Scenario> = {
  'the peer ends': {
    run: ({ subject, peer }) => {
      subject.resume();
      peer.end('bye');
    },
  },
  'the peer ends, and nobody reads': {
    run: async ({ subject, peer }, log) => {
      peer.end();
      await until(5_000, () => subject.closed, 'the close');
      log('closed by itself');
    },
  },
  'the peer ends with bytes that nobody reads, then somebody does': {
    run: async ({ subject, peer }, log) => {
      peer.end('unread');
      await until(5_000, () => subject.readableLength === 6, 'the bytes');
      for (let turn = 0; turn < 5; turn++) await nextTurn();
      log(`waiting: ${subject.destroyed}`);
      subject.resume();
    },
  },
  'the peer ends and this side may stay open': {
    options: { allowHalfOpen: true },
    run: async (pair, log) => {
      const { subject, peer } = pair;
      subject.resume();
      peer.end();
      await event(subject, 'end');
      log(state(pair));
      subject.end('answer', written(log));
      peer.on('data', (data) => log(`peer: ${data}`));
    },
  },
  'this side ends first': {
    run: async (pair, log) => {
      const { subject, peer } = pair;
      subject.resume();
      subject.end('question', written(log));
      peer.resume();
      await event(peer, 'end');
      await until(5_000, () => subject.writableFinished);
      log(state(pair));
      peer.end('answer');
    },
  },
  'both sides end': {
    run: ({ subject, peer }) => {
      subject.resume();
      peer.resume();
      subject.end();
      peer.end();
    },
  },
  'it is destroyed': {
    run: (pair, log) => {
      void peerEnding(pair, log);
      pair.subject.destroy();
      log(state(pair));
      pair.subject.destroy();
    },
  },
  'it is destroyed with an error': {
    run: (pair, log) => {
      pair.subject.destroy(new Error('mine'));
      log(state(pair));
      pair.subject.destroy(new Error('late'));
    },
  },
  'it is destroyed by a listener of data': {
    run: ({ subject, peer }, log) => {
      subject.on('data', (data) => {
        log(`data ${data.length}`);
        subject.destroy();
      });
      peer.write('x');
    },
  },
  'it is destroyed by a listener of end': {
    run: ({ subject, peer }) => {
      subject.resume().on('end', () => subject.destroy());
      peer.end('x');
    },
  },
  'the peer resets': {
    run: ({ subject, peer }) => {
      subject.resume();
      peer.resetAndDestroy();
    },
  },
  'the peer resets, and nobody reads': {
    run: ({ peer }) => {
      peer.resetAndDestroy();
    },
  },
  'it is written to after the end': {
    run: ({ subject }, log) => {
      subject.end();
      log(`wrote ${subject.write('late', written(log))}`);
    },
  },
  'it is written to after it was destroyed': {
    run: ({ subject }, log) => {
      subject.destroy();
      log(`wrote ${subject.write('late', written(log))}`);
    },
  },
  'it is written to after the peer has ended both': {
    run: async ({ subject, peer }, log) => {
      subject.resume();
      peer.end();
      subject.on('end', () => process.nextTick(() => subject.write('late', written(log))));
      await event(subject, 'close');
    },
  },
  'it ends twice': {
    run: ({ subject, peer }, log) => {
      subject.resume();
      peer.end();
      subject.end('x', written(log, 'first'));
      subject.end(written(log, 'second'));
    },
  },
  'it is to be destroyed soon': {
    run: ({ subject, peer }, log) => {
      peer.on('data', (data) => log(`peer: ${data}`));
      subject.write('last words', written(log));
      subject.destroySoon();
      return event(peer, 'end');
    },
  },
  'it is destroyed with a reset': {
    run: async (pair, log) => {
      await peerEnding(pair, log);
      pair.subject.resetAndDestroy();
      await until(5_000, () => pair.peer.closed, 'the peer to close');
    },
  },
  'writes are corked': {
    run: async ({ subject, peer }, log) => {
      subject.cork();
      for (const text of ['one ', 'two ', 'three']) subject.write(text, written(log, text));
      log(`bytesWritten ${subject.bytesWritten}, waiting ${subject.writableLength}`);
      subject.uncork();
      let got = '';
      peer.on('data', (data) => {
        got += data;
      });
      await until(5_000, () => got.length === 13, 'all of it');
      log(`peer: ${got}, bytesWritten ${subject.bytesWritten}`);
      subject.destroy();
    },
  },
  'the peer reads late what was written': {
    run: async ({ subject, peer }, log) => {
      log(`wrote ${subject.write(tooMuch, written(log))}`);
      subject.end();
      await nextTurn();
      peer.resume();
      await event(peer, 'end');
      log(`bytesWritten ${subject.bytesWritten === tooMuch.length}`);
      subject.destroy();
    },
  },
  'strings of several encodings are written': {
    run: async ({ subject, peer }, log) => {
      let got = '';
      peer.on('data', (data) => {
        got += data.toString('hex');
      });
      subject.write('ü');
      subject.write('ü', 'latin1');
      subject.write('ff00', 'hex');
      await until(5_000, () => got.length === 10, 'all of it');
      log(`peer: ${got}, ${subject.bytesWritten}`);
      subject.destroy();
    },
  },
  'text is read': {
    run: async ({ subject, peer }, log) => {
      subject.setEncoding('utf8');
      peer.write(Buffer.from([0xc3]));
      await until(5_000, () => subject.bytesRead === 1, 'a byte');
      peer.end(Buffer.from([0xbc]));
      for await (const text of subject) log(`read ${text}`);
      log(`bytesRead ${subject.bytesRead}`);
    },
  },
  'nothing happens for a while': {
    run: async (pair, log) => {
      const { subject } = pair;
      log(`timeout ${subject.timeout}`);
      const same = subject.setTimeout(20, () => log('callback'));
      log(`${same === subject} ${subject.timeout}`);
      await event(subject, 'timeout');
      log(state(pair));
      subject.setTimeout(0);
      log(`timeout ${subject.timeout}`);
      subject.destroy();
    },
  },
  'a timeout is taken back with its callback': {
    run: async ({ subject }, log) => {
      const callback = () => log('callback');
      subject.setTimeout(10, callback);
      subject.setTimeout(0, callback);
      log(`listeners ${subject.listenerCount('timeout')}`);
      subject.destroy();
      subject.setTimeout(10, callback);
      log(`after the close ${subject.timeout}`);
    },
  },
  'a pipeline ends in it': {
    run: async ({ subject, peer }, log) => {
      peer.resume().on('end', () => peer.end());
      subject.resume();
      await new Promise<void>((resolve) => {
        pipeline(Readable.from(['a', 'b']), subject as Writable, (error) => {
          log(`pipeline ${error ? codeOf(error) : 'done'}`);
          resolve();
        });
      });
    },
  },
  'a pipeline begins with it and the peer resets': {
    run: async ({ subject, peer }, log) => {
      const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
      const done = new Promise<void>((resolve) => {
        pipeline(subject as Readable, sink, (error) => {
          log(`pipeline ${error ? codeOf(error) : 'done'}`);
          resolve();
        });
      });
      peer.resetAndDestroy();
      await done;
    },
  },
  'finished() waits for it': {
    run: async ({ subject, peer }, log) => {
      finished(subject as Readable, (error) => log(`finished ${error ? codeOf(error) : 'well'}`));
      subject.resume();
      peer.end('x');
    },
  },
  'finished() waits for one that is destroyed': {
    run: ({ subject }, log) => {
      finished(subject as Readable, (error) => log(`finished ${error ? codeOf(error) : 'well'}`));
      subject.destroy();
    },
  },
  'it is iterated over, and the loop is left': {
    run: async ({ subject, peer }, log) => {
      peer.write('x');
      for await (const data of subject) {
        log(`data ${data}`);
        break;
      }
    },
  },
  'it is iterated over, and the peer resets': {
    run: async ({ subject, peer }, log) => {
      peer.resetAndDestroy();
      try {
        for await (const data of subject) log(`data ${data}`);
      } catch (error) {
        log(`thrown ${codeOf(error)}`);
      }
    },
  },
  'bytes are put back': {
    run: async ({ subject, peer }, log) => {
      peer.end('body');
      subject.unshift('head ');
      let text = '';
      for await (const data of subject) text += data;
      log(`${text} ${subject.bytesRead}`);
    },
  },
  'its state is asked at every step': {
    run: async (pair, log) => {
      const { subject, peer } = pair;
      log(`${state(pair)} ${subject.connecting} ${subject.pending} ${subject.bytesRead}`);
      subject.resume();
      peer.end('123');
      await event(subject, 'end');
      log(`${state(pair)} ${subject.bytesRead}`);
      await until(5_000, () => subject.closed);
      log(`${state(pair)} ${subject.bytesRead}`);
    },
  },
  'its addresses are asked': {
    run: async ({ subject, peer }, log) => {
      const near = subject.address() as { address: string; family: string; port: number };
      log(`${near.address} ${near.family} ${near.port === peer.remotePort}`);
      log(`${subject.localAddress} ${subject.localFamily} ${subject.localPort === near.port}`);
      log(`${subject.remoteAddress} ${subject.remoteFamily}`);
      log(`${subject.remotePort === peer.localPort}`);
      subject.destroy();
      await event(subject, 'close');
      log(`then ${subject.remoteAddress} ${subject.remoteFamily}`);
    },
  },
  'its settings are set in a chain': {
    run: ({ subject }, log) => {
      const same = subject.setNoDelay().setKeepAlive(true, 5_000).setTimeout(0).unref().ref();
      log(`${same === subject}`);
      subject.destroy();
    },
  },
};

async function trace(makePair: typeof netPair, { options, run }: Scenario): Promise<string[]> {
  const cleanup = new Cleanup();
  const entries: string[] = [];
  const log: Log = (entry) => entries.push(entry);
  try {
    const pair = await makePair(cleanup, options);
    const closed = new Promise((resolve) => pair.subject.once('close', resolve));
    watch(pair, log);
    await within(10_000, Promise.resolve(run(pair, log)), 'the scenario');
    await within(5_000, closed, "'close'");
    // What comes late is not to be missed.
    await sleep(5);
  } finally {
    cleanup.close();
  }
  return entries;
}

describe('a duplex does as a net.Socket does when', () => {
  let socketsBefore: number;
  beforeEach(() => {
    socketsBefore = openSockets();
  });
  afterEach(() => expectSockets(socketsBefore));

  it.each(Object.entries(scenarios))('%s', async (_name, scenario) => {
    const expected = await trace(netPair, scenario);
    expect(expected.length).toBeGreaterThan(0);
    expect(await trace(duplexPair, scenario)).toEqual(expected);
  });

  const cutWrite = (cut: (pair: Pair) => void): Scenario => ({
    run: async (pair, log) => {
      pair.subject.resume();
      log(`wrote ${pair.subject.write(tooMuch, written(log, 'first:'))}`);
      pair.subject.write('behind', written(log, 'second:'));
      await nextTurn();
      cut(pair);
    },
  });

  it('but a write that was cut off fails, where net may pass it for done', async () => {
    const scenario = cutWrite(({ subject }) => subject.destroy());
    const passes = ['wrote false', 'first:', 'second: ERR_STREAM_DESTROYED', 'close false'];
    const fails = ['wrote false', 'first: ECANCELED', 'second: ECANCELED', 'close false'];
    // The first with Node 20, the second with Node 24.
    expect([passes, fails]).toContainEqual(await trace(netPair, scenario));
    expect(await trace(duplexPair, scenario)).toEqual([
      'wrote false',
      'first: ERR_STREAM_DESTROYED',
      'second: ERR_STREAM_DESTROYED',
      'close false',
    ]);
  });

  it('but a write that the peer cut off fails with the reason', async () => {
    const scenario = cutWrite(({ peer }) => peer.resetAndDestroy());
    const [, first, ...rest] = await trace(duplexPair, scenario);
    // The kernel tells the reset once, to whoever asks first, and a broken pipe to all others.
    expect(first).toMatch(/^first: (ECONNRESET|EPIPE)$/);
    expect(rest).toEqual(['second: ECONNRESET', 'error ECONNRESET', 'close true']);
  });
});
