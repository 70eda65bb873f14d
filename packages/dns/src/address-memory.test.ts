import { binding } from '@sock/native';
import { AddressMemory } from './address-memory.js';

describe('a memory of addresses', () => {
  afterEach(() => jest.restoreAllMocks());

  it('4: knows nothing of another network, where it would go out from another address', () => {
    const from = jest.spyOn(binding, 'sourceAddress');
    const memory = new AddressMemory();
    from.mockReturnValue('10.0.0.1');
    memory.remember('192.0.2.1', 5);
    memory.remember('192.0.2.2', 6);
    expect(memory.roundTrip('192.0.2.1')).toBe(5);
    from.mockReturnValue('10.9.9.9');
    expect(memory.roundTrip('192.0.2.1')).toBeUndefined();
    from.mockReturnValue('10.0.0.1');
    // What was asked for in vain is forgotten, and what was not is still known.
    expect(memory.roundTrip('192.0.2.1')).toBeUndefined();
    expect(memory.roundTrip('192.0.2.2')).toBe(6);
  });

  it('4: takes an address for a new one after a while, however often it worked', () => {
    const now = jest.spyOn(binding, 'now').mockReturnValue(0);
    const memory = new AddressMemory({ ttl: 100 });
    memory.remember('127.0.0.1', 5);
    now.mockReturnValue(99);
    memory.remember('127.0.0.1', 6);
    expect(memory.roundTrip('127.0.0.1')).toBe(6);
    now.mockReturnValue(100);
    expect(memory.roundTrip('127.0.0.1')).toBeUndefined();
    memory.remember('127.0.0.1', 7);
    now.mockReturnValue(199);
    expect(memory.roundTrip('127.0.0.1')).toBe(7);
  });

  it('can be cleared', () => {
    const memory = new AddressMemory();
    memory.remember('127.0.0.1', 5);
    memory.clear();
    expect(memory.size).toBe(0);
    expect(memory.roundTrip('127.0.0.1')).toBeUndefined();
  });
});
