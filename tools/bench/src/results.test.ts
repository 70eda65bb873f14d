import { conclude, judge } from './results.js';
import type { ContenderRecord, WorkloadRecord } from './rounds.js';
import type { Bar, Runtime, Workload } from './workloads.js';

function ran(runtime: Runtime, ...figures: number[]): ContenderRecord {
  return {
    contender: { id: runtime, label: `the ${runtime} one`, runtime },
    samples: figures.map((value) => ({ value })),
    installed: true,
    failure: null,
  };
}

function workload(bars: Bar[], ...records: ContenderRecord[]): WorkloadRecord {
  const contenders = records.map(({ contender }) => contender);
  const description: Workload = {
    kind: 'import',
    id: 'work',
    title: 'Work',
    unit: 'ms',
    program: 'none',
    pairs: 1,
    contenders,
    bars,
  };
  return { workload: description, records };
}

const against = (limit: number, strict: boolean): Bar => {
  return { contender: 'sock', against: 'c', limit, strict };
};

describe('judge', () => {
  const doubled = workload([], ran('c', 1, 2, 3), ran('sock', 2, 4, 6));

  it('counts a bar as met at its very limit', () => {
    expect(judge(against(2, false), doubled).verdict).toBe('met');
  });

  it('counts a strict bar as not met at its very limit', () => {
    expect(judge(against(2, true), doubled).verdict).toBe('not met');
  });

  it('compares with the limit itself where a bar names no other contender', () => {
    expect(judge({ contender: 'sock', limit: 4 }, doubled).verdict).toBe('met');
    expect(judge({ contender: 'sock', limit: 3.9 }, doubled).verdict).toBe('not met');
  });

  it('says that nothing was measured rather than that a bar is met', () => {
    const alone = workload([], ran('sock', 1));
    expect(judge(against(2, false), alone)).toMatchObject({ verdict: 'not measured' });
  });

  it('names both sides and the limit', () => {
    expect(judge(against(2, true), doubled).text).toBe('the sock one < 2 × the c one');
  });
});

describe('conclude', () => {
  it('puts every contender beside C', () => {
    const { rows } = conclude(workload([], ran('c', 1, 1), ran('node', 3, 5)));
    expect(rows.map(({ ratioToC }) => ratioToC?.median)).toEqual([1, 4]);
  });

  it('adds up the errors of all rounds', () => {
    const node = ran('node');
    node.samples.push({ value: 1, errors: 2 }, null, { value: 1, errors: 3 });
    expect(conclude(workload([], node)).rows[0]?.errors).toBe(5);
  });
});
