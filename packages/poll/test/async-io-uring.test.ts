import { AsyncIO } from '@sock/poll';
import { describeWithPeers } from '@sock/testing';
import { describeAsyncIO } from './async-io.js';
import { describeIterations } from './async-iterations.js';

describeWithPeers(['io_uring'], 'where there is io_uring', () => {
  describeAsyncIO('io_uring');
  describeIterations('io_uring');

  it('is what is taken unless told', () => {
    expect(AsyncIO.isAvailable).toBe(true);
    const io = new AsyncIO();
    expect(io.backendName).toBe('io_uring');
    io.close();
  });
});
