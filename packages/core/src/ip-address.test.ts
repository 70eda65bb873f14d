import { spawnSync } from 'node:child_process';
import { isIP } from 'node:net';
import { describeWithPeers, thrownBy } from '@sock/testing';
import fc from 'fast-check';
import { parseIp } from './ip-address.js';

/** Text of an address, and text that nearly is one. */
const literal = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc
    .array(fc.constantFrom('0', '1', 'f', ':', '::', '.', '255', '00', 'ffff', '256', '%', 'g'), {
      minLength: 1,
      maxLength: 16,
    })
    .map((parts) => parts.join('')),
);

/** An address with runs of zeros, as most have. */
const words = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 });
const fullText = words.map((all) => all.map((word) => word.toString(16)).join(':'));

describe('an address', () => {
  it('is what Node takes for one, zones aside', () => {
    fc.assert(
      fc.property(literal, (text) => {
        const version = { ipv4: 4, ipv6: 6, none: 0 }[parseIp(text)?.family ?? 'none'];
        expect(version).toBe(text.includes('%') ? 0 : isIP(text));
      }),
      { numRuns: 3_000 },
    );
  });

  it('has the canonical text of the URL standard, mapped ones aside', () => {
    fc.assert(
      fc.property(fullText, (text) => {
        const ip = parseIp(text);
        fc.pre(ip?.mappedIpv4 === undefined);
        expect(`[${ip?.address}]`).toBe(new URL(`http://[${text}]`).hostname);
      }),
      { numRuns: 2_000 },
    );
  });

  it('comes to the same bytes from its canonical text', () => {
    fc.assert(
      fc.property(fc.oneof(fullText, fc.ipV4()), (text) => {
        const ip = parseIp(text);
        const again = parseIp(ip?.address ?? '');
        expect(again).toEqual(ip);
        expect(again?.address).toBe(ip?.address);
      }),
    );
  });

  it.each([
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::', '::'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::FFFF:C000:0201', '::ffff:192.0.2.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['192.0.2.1', '192.0.2.1'],
  ])('%s is written %s', (text, canonical) => {
    expect(parseIp(text)?.address).toBe(canonical);
  });

  it('tells its bytes in network order', () => {
    expect(parseIp('192.0.2.1')?.bytes).toEqual(Uint8Array.of(192, 0, 2, 1));
    const ipv6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    expect(parseIp('2001:db8::1')?.bytes).toEqual(Uint8Array.from(ipv6));
  });

  it('tells the IPv4 address behind a mapped one, and only there', () => {
    expect(parseIp('::ffff:192.0.2.1')?.mappedIpv4).toBe('192.0.2.1');
    for (const text of ['192.0.2.1', '::192.0.2.1', '::fffe:192.0.2.1', '1::ffff:192.0.2.1']) {
      expect(parseIp(text)?.mappedIpv4).toBeUndefined();
    }
  });

  it.each([
    '',
    ' 192.0.2.1',
    '192.0.2.1 ',
    '192.0.2.01',
    '192.0.2',
    '192.0.2.256',
    '0x7f.0.0.1',
    '2130706433',
    '[::1]',
    '::1/128',
    'fe80::1%eth0',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '12345::',
    '::1\n',
    'localhost',
    '1'.repeat(1_000_000),
  ])('%s is none', (text) => {
    expect(parseIp(text)).toBeNull();
  });

  it('is asked of a string', () => {
    const error = thrownBy(() => parseIp(2130706433 as never));
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  });
});

describeWithPeers(['python3'], "an address, beside Python's ipaddress", () => {
  it('has the same bytes', () => {
    const texts = fc.sample(fc.oneof(fc.ipV4(), fc.ipV6(), fullText), 300);
    const program = `import ipaddress, sys
for line in sys.stdin.read().split(): print(ipaddress.ip_address(line).packed.hex())`;
    const { stdout } = spawnSync('python3', ['-c', program], { input: texts.join('\n') });
    const ours = texts.map((text) => Buffer.from(parseIp(text)?.bytes ?? []).toString('hex'));
    expect(ours).toEqual(stdout.toString().trim().split('\n'));
  });
});
