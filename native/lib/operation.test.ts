import { noLimits, Operation, OperationQueue } from './operation.js';
import { binding } from './reactor.js';

class TestOperation extends Operation {
  constructor(
    readonly label: string,
    reject: (error: unknown) => void = () => {},
  ) {
    super(reject);
  }
}

function queueOf(...labels: string[]) {
  const queue = new OperationQueue<TestOperation>();
  const operations = labels.map((label) => new TestOperation(label));
  for (const operation of operations) queue.push(operation);
  return { queue, operations };
}

function labels(queue: OperationQueue<TestOperation>): string {
  let text = '';
  for (let op = queue.shift(); op !== null; op = queue.shift()) text += op.label;
  return text;
}

const never = (): void => {
  throw new Error('this was not to be called');
};

describe('a queue of operations', () => {
  it('gives them back in order', () => {
    expect(labels(queueOf('a', 'b', 'c').queue)).toBe('abc');
  });

  it.each([
    [0, 'bc'],
    [1, 'ac'],
    [2, 'ab'],
  ])('lets number %i go from its place, and goes on', (index, left) => {
    const { queue, operations } = queueOf('a', 'b', 'c');
    queue.remove(operations[index] as TestOperation);
    queue.push(new TestOperation('d'));
    expect(labels(queue)).toBe(`${left}d`);
    expect(queue.tail).toBeNull();
  });

  it('ignores one that is not in it', () => {
    const { queue } = queueOf('a');
    queue.remove(new TestOperation('b'));
    expect(labels(queue)).toBe('a');
  });

  it('takes one again that it has given back', () => {
    const { queue, operations } = queueOf('a', 'b');
    expect(queue.shift()).toBe(operations[0]);
    queue.push(operations[0] as TestOperation);
    expect(labels(queue)).toBe('ba');
  });

  it('knows the earliest deadline and who is overdue', () => {
    const { queue, operations } = queueOf('a', 'b', 'c');
    expect(queue.earliestDeadline()).toBe(Number.POSITIVE_INFINITY);
    const now = binding.now();
    operations[1]?.limit({ signal: undefined, timeoutMs: 1_000 }, never);
    operations[2]?.limit({ signal: undefined, timeoutMs: 10 }, never);
    expect(queue.earliestDeadline() - now).toBeLessThan(500);
    expect(queue.overdue(now).length).toBe(0);
    expect(queue.overdue(now + 500).map(({ label }) => label)).toEqual(['c']);
    expect(queue.overdue(now + 5_000).map(({ label }) => label)).toEqual(['b', 'c']);
  });
});

describe('an operation', () => {
  it('hears of an abort once', () => {
    const controller = new AbortController();
    const onAbort = jest.fn();
    const operation = new TestOperation('a');
    operation.limit({ ...noLimits, signal: controller.signal }, onAbort);
    controller.abort();
    controller.signal.dispatchEvent(new Event('abort'));
    expect(onAbort).toHaveBeenCalledTimes(1);
    expect(onAbort).toHaveBeenCalledWith(operation, controller.signal);
  });

  it('hears of none once it is over, however it ended', () => {
    const controller = new AbortController();
    const disarmed = new TestOperation('a');
    const rejected = new TestOperation('b');
    for (const operation of [disarmed, rejected]) {
      operation.limit({ timeoutMs: 5, signal: controller.signal }, never);
    }
    disarmed.disarm();
    rejected.reject(new Error('over'));
    controller.abort();
    expect(disarmed.deadlineMs).toBe(Number.POSITIVE_INFINITY);
  });
});
