import { BlockList } from 'node:net';
import { thrownBy } from '@sock/testing';
import fc from 'fast-check';
import { cidrMatch } from './cidr.js';

/** Few different bytes, so that addresses and networks often have to do with each other. */
const byte = fc.constantFrom(0, 1, 10, 127, 128, 255);
const ipv4 = fc.array(byte, { minLength: 4, maxLength: 4 }).map((bytes) => bytes.join('.'));
const word = fc.constantFrom('0', '1', 'ff', '8000', 'ffff');
const ipv6 = fc.array(word, { minLength: 8, maxLength: 8 }).map((words) => words.join(':'));

/** Node's answer. */
function blocked(ip: string, network: string, prefix: number): boolean {
  const familyOf = (text: string) => (text.includes(':') ? 'ipv6' : 'ipv4');
  const list = new BlockList();
  list.addSubnet(network, prefix, familyOf(network));
  return list.check(ip, familyOf(ip));
}

describe('an address and a network', () => {
  it("match as in Node's BlockList, within IPv4", () => {
    fc.assert(
      fc.property(ipv4, ipv4, fc.nat(32), (ip, network, prefix) => {
        expect(cidrMatch(ip, `${network}/${prefix}`)).toBe(blocked(ip, network, prefix));
      }),
      { numRuns: 2_000 },
    );
  });

  it("match as in Node's BlockList, within IPv6", () => {
    fc.assert(
      fc.property(ipv6, ipv6, fc.nat(128), (ip, network, prefix) => {
        expect(cidrMatch(ip, `${network}/${prefix}`)).toBe(blocked(ip, network, prefix));
      }),
      { numRuns: 2_000 },
    );
  });

  it('match as the IPv4 address when it is mapped, whichever of the two is', () => {
    fc.assert(
      fc.property(ipv4, ipv4, fc.nat(32), (ip, network, prefix) => {
        const expected = cidrMatch(ip, `${network}/${prefix}`);
        expect(cidrMatch(`::ffff:${ip}`, `${network}/${prefix}`)).toBe(expected);
        expect(cidrMatch(ip, `::ffff:${network}/${96 + prefix}`)).toBe(expected);
        expect(cidrMatch(`::ffff:${ip}`, `::ffff:${network}/${96 + prefix}`)).toBe(expected);
      }),
    );
  });

  it('match whatever the bits behind the prefix are', () => {
    expect(cidrMatch('192.168.1.200', '192.168.1.5/24')).toBe(true);
    expect(cidrMatch('192.168.2.5', '192.168.1.5/24')).toBe(false);
  });

  it('match as equal addresses where there is no prefix', () => {
    expect(cidrMatch('10.0.0.1', '10.0.0.1')).toBe(true);
    expect(cidrMatch('10.0.0.2', '10.0.0.1')).toBe(false);
    expect(cidrMatch('2001:db8::1', '2001:DB8:0::1')).toBe(true);
  });

  it('do not match across families', () => {
    expect(cidrMatch('10.0.0.1', '::/0')).toBe(false);
    expect(cidrMatch('2001:db8::1', '0.0.0.0/0')).toBe(false);
    expect(cidrMatch('::ffff:10.0.0.1', '::/0')).toBe(true);
    expect(cidrMatch('::10.0.0.1', '10.0.0.0/8')).toBe(false);
  });

  it.each([
    '',
    '/8',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/+8',
    '10.0.0.0/08',
    '10.0.0.0/8/8',
    '10.0.0.0/8 ',
    '10.0.0.0/8\n',
    '10.0.0/8',
    '10.0.0.0/255.0.0.0',
    'fe80::%eth0/10',
    'localhost/8',
  ])('throw where the network is %p', (cidr) => {
    const error = thrownBy(() => cidrMatch('10.0.0.1', cidr));
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
    expect(error.message).toContain('"cidr"');
  });

  it.each(['10.0.0.0/33', '::/129', '::ffff:10.0.0.0/999'])(
    'throw where %s is too long',
    (cidr) => {
      const error = thrownBy(() => cidrMatch('10.0.0.1', cidr));
      expect(error).toMatchObject({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
      expect(error.message).toContain('"cidr"');
    },
  );

  it('throw where the address is none', () => {
    const error = thrownBy(() => cidrMatch('10.0.0.0/8', '10.0.0.0/8'));
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
    expect(error.message).toContain('"ip"');
  });
});
