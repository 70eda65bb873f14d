import { timelineOf } from './timeline.js';

describe('a race', () => {
  it('is drawn with a row for each lookup and each address', () => {
    const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    const lines = timelineOf([
      { at: 0, type: 'lookup', family: 'ipv6' },
      { at: 0, type: 'lookup', family: 'ipv4' },
      { at: 0, type: 'found', family: 'ipv4', addresses: ['192.0.2.1', '192.0.2.2'] },
      { at: 50, type: 'attempt', family: 'ipv4', address: '192.0.2.1' },
      { at: 75, type: 'failed', family: 'ipv4', address: '192.0.2.1', error: refused },
      { at: 75, type: 'attempt', family: 'ipv4', address: '192.0.2.2' },
      { at: 100, type: 'won', family: 'ipv4', address: '192.0.2.2' },
    ]);
    expect(lines).toEqual([
      `  AAAA      ├${'─'.repeat(46)}  called off`,
      `  A         ├${' '.repeat(47)} 2 found`,
      `  192.0.2.1 ${' '.repeat(24)}├${'─'.repeat(10)}${' '.repeat(13)} ECONNREFUSED`,
      `  192.0.2.2 ${' '.repeat(35)}├${'─'.repeat(11)}  won`,
      `  ${' '.repeat(9)} 0${' '.repeat(41)}100 ms`,
    ]);
  });
});
