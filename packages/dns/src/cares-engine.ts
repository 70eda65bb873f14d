/**
 * Node's own c-ares: asks chosen servers and nothing else of the system, and knows how long answers
 * hold. Its `cancel()` ends whatever the resolver does, so it is called only when nobody waits any
 * more; a single lookup that is given up goes on unheard until then.
 */
import { promises as dns, type SrvRecord } from 'node:dns';
import { binding } from '@sock/native';
import type {
  Answer,
  Engine,
  EngineLoad,
  Failure,
  Outcome,
  ServiceRecord,
  Start,
} from './engine.js';
import { isAuthoritative } from './engine.js';
import type { Family } from './hostname.js';
import { sortAddresses } from './rfc6724.js';

interface CaresError {
  readonly code?: string;
  readonly syscall?: string;
  readonly message: string;
}

function failureOf(error: unknown, syscall: string): Failure {
  const { code = 'EAI_FAIL', message } = error as CaresError;
  return { code, gaiCode: 0, syscall, text: message, cause: error };
}

async function outcomeOf<T>(syscall: string, query: Promise<Answer<T>>): Promise<Outcome<T>> {
  try {
    return { answer: await query };
  } catch (error) {
    return { failure: failureOf(error, syscall) };
  }
}

function answerOf(records: readonly { address: string; ttl: number }[]): Answer<string> {
  const ttlMs = Math.min(...records.map(({ ttl }) => ttl)) * 1000;
  return { values: records.map(({ address }) => address), ttlMs };
}

/** Without the type that Node adds from version 24 on. */
function serviceOf({ name, port, priority, weight }: SrvRecord): ServiceRecord {
  return { name, port, priority, weight };
}

/** Of both families. One is an answer; but not for long, unless the other really is none. */
function merge(ipv6: Outcome<string>, ipv4: Outcome<string>): Outcome<string> {
  if ('failure' in ipv6 && 'failure' in ipv4) return isAuthoritative(ipv6.failure) ? ipv4 : ipv6;
  const answers = [ipv6, ipv4].flatMap((outcome) => ('answer' in outcome ? [outcome.answer] : []));
  const failures = [ipv6, ipv4].flatMap((one) => ('failure' in one ? [one.failure] : []));
  const values = answers.flatMap((answer) => answer.values);
  const ttlMs = Math.min(...answers.map((answer) => answer.ttlMs));
  return { answer: { values, ttlMs: failures.every(isAuthoritative) ? ttlMs : 0 } };
}

function inOrder(outcome: Outcome<string>): Outcome<string> {
  if ('failure' in outcome) return outcome;
  const values = sortAddresses(outcome.answer.values, binding.sourceAddress);
  return { answer: { ...outcome.answer, values } };
}

export class CaresEngine implements Engine {
  /** c-ares is driven by the event loop, and by nothing else. */
  readonly isCollectable = false;
  private readonly resolver: dns.Resolver;
  /** Queries of c-ares that have not ended, and how many of them somebody still waits for. */
  private running = 0;
  private wanted = 0;

  constructor(
    servers: readonly string[] | undefined,
    private pendingMax: number,
  ) {
    this.resolver = new dns.Resolver();
    if (servers !== undefined) this.resolver.setServers(servers);
  }

  addresses(name: string, family: Family | undefined): Start<string> {
    const ipv4 = () => this.query('queryA', this.resolver.resolve4(name, { ttl: true }));
    const ipv6 = () => this.query('queryAaaa', this.resolver.resolve6(name, { ttl: true }));
    if (family === 'ipv4') return this.start(async () => inOrder(await ipv4()));
    if (family === 'ipv6') return this.start(async () => inOrder(await ipv6()));
    return this.start(async () => inOrder(merge(...(await Promise.all([ipv6(), ipv4()])))));
  }

  names(address: string): Start<string> {
    const [bare = address] = address.split('%', 1);
    return this.plain('getHostByAddr', () => this.resolver.reverse(bare));
  }

  services(name: string): Start<ServiceRecord> {
    return this.plain('querySrv', async () =>
      (await this.resolver.resolveSrv(name)).map(serviceOf),
    );
  }

  collect(): void {}

  get load(): EngineLoad {
    return { threads: 0, stuckThreads: 0, queued: this.running };
  }

  resize(pendingMax: number): void {
    this.pendingMax = pendingMax;
  }

  close(): void {
    this.resolver.cancel();
  }

  private query(
    syscall: string,
    query: Promise<{ address: string; ttl: number }[]>,
  ): Promise<Outcome<string>> {
    return outcomeOf(syscall, query.then(answerOf));
  }

  /** Of records whose lifetime c-ares keeps to itself. */
  private plain<T>(syscall: string, query: () => Promise<T[]>): Start<T> {
    const answer = async () => ({ values: await query(), ttlMs: 0 });
    return this.start(() => outcomeOf(syscall, answer()));
  }

  private start<T>(query: () => Promise<Outcome<T>>): Start<T> {
    return (settle) => {
      if (this.running >= this.pendingMax) return null;
      this.running++;
      this.wanted++;
      let isWanted = true;
      const forget = (): boolean => {
        const was = isWanted;
        isWanted = false;
        if (was) this.wanted--;
        return was;
      };
      query().then((outcome) => {
        this.running--;
        if (forget()) settle(outcome);
      });
      const giveUp = (): void => {
        if (forget() && this.wanted === 0) this.resolver.cancel();
      };
      return { giveUp, watch: () => {} };
    };
  }
}
