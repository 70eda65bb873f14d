// Reads the server's events and draws them. Samples come with counters that only grow; what is
// shown of those is by how much they grew from one sample to the next.
import uPlot from '/uplot.js';

const samplesShown = 120;
const failuresShown = 8;

const wholeNumber = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const shortNumber = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat('en', { timeStyle: 'medium', hourCycle: 'h23' });

/** A number with a unit of a size that suits it. */
function scaled(units, value, step = 1_000) {
  let size = 0;
  while (value >= step && size < units.length - 1) {
    value /= step;
    size += 1;
  }
  return `${shortNumber.format(value)} ${units[size]}`;
}
const count = (value) => wholeNumber.format(value);
const perSecond = (value) => `${shortNumber.format(value)}/s`;
const bytesPerSecond = (value) => scaled(['B/s', 'kB/s', 'MB/s', 'GB/s'], value);
const milliseconds = (value) =>
  value < 1 ? `${count(value * 1_000)} µs` : scaled(['ms', 's'], value);
const shown = (format, value) => (value == null ? '–' : format(value));

/** The lines of each chart; `read` gets a sample, and how much was counted a second since the last. */
const charts = [
  {
    id: 'connections',
    floor: 4,
    format: count,
    lines: [
      { label: 'open', colour: '--first', read: (sample) => sample.open },
      { label: 'new a second', colour: '--second', read: (_, rates) => rates.made },
    ],
  },
  {
    id: 'throughput',
    floor: 1_000,
    format: bytesPerSecond,
    lines: [
      { label: 'received', colour: '--first', read: (_, rates) => rates.received },
      { label: 'sent', colour: '--second', read: (_, rates) => rates.sent },
    ],
  },
  {
    id: 'rtt',
    floor: 0.1,
    format: milliseconds,
    lines: [
      { label: 'median', colour: '--first', read: ({ rtt }) => rtt.median },
      { label: 'highest', colour: '--second', read: ({ rtt }) => rtt.highest },
    ],
  },
  {
    id: 'failures',
    floor: 4,
    format: perSecond,
    bars: true,
    lines: [{ label: 'a second', colour: '--bad', read: (_, rates) => rates.failed }],
  },
];

/** Between two lines of a grid: 1, 2 or 5 of something; only of rtts there is less than one. */
const steps = [-3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap((power) =>
  [1, 2, 5].map((factor) => Number(`${factor}e${power}`)),
);

const find = (selector) => document.querySelector(selector);
const colourOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);
const failed = (sample) => sum(Object.values(sample.failures));

let intervalMs = 1_000;
let samples = [];

/** A chart with its caption: what its lines are now, or where the pointer is. */
class Chart {
  constructor({ id, floor, format, bars = false, lines }) {
    this.format = format;
    this.lines = lines;
    const figure = find(`#${id}`);
    this.place = document.createElement('div');
    this.place.className = 'plot';
    this.outputs = lines.map(() => document.createElement('output'));
    const keys = document.createElement('ul');
    keys.className = 'keys';
    lines.forEach(({ label, colour }, index) => {
      const key = document.createElement('li');
      key.style.setProperty('--colour', `var(${colour})`);
      // Two lines that lie on each other are both to be seen.
      if (index > 0) key.className = 'dashed';
      key.append(`${label} `, this.outputs[index]);
      keys.append(key);
    });
    figure.firstElementChild.append(keys);
    figure.append(this.place);
    this.plot = new uPlot(this.options(floor, bars), [[], ...lines.map(() => [])], this.place);
    new ResizeObserver(() => this.plot.setSize(this.size())).observe(this.place);
  }

  size() {
    return { width: this.place.clientWidth, height: this.place.clientHeight };
  }

  options(floor, bars) {
    const axis = {
      stroke: () => colourOf('--soft'),
      grid: { stroke: () => colourOf('--line'), width: 1 },
      ticks: { show: false },
      font: '12px system-ui, sans-serif',
    };
    const time = (_, seconds) => seconds.map((second) => clock.format(second * 1_000));
    const values = (_, ticks) => ticks.map((tick) => this.format(tick));
    const paths = bars ? uPlot.paths.bars({ size: [0.7, 24], align: -1 }) : undefined;
    return {
      ...this.size(),
      legend: { show: false },
      padding: [10, 14, 0, 0],
      cursor: { sync: { key: 'time' }, drag: { x: false, y: false }, points: { size: 7 } },
      hooks: { setCursor: [() => this.showValues()] },
      scales: {
        x: { range: shownTime },
        y: { range: (_, __, most) => [0, Math.max(floor, most * 1.1)] },
      },
      axes: [
        { ...axis, space: 90, size: 30, gap: 9, values: time },
        { ...axis, space: 34, size: 68, incrs: steps, values },
      ],
      series: [
        {},
        ...this.lines.map(({ label, colour }, index) => ({
          label,
          dash: index > 0 ? [6, 4] : undefined,
          stroke: () => colourOf(colour),
          fill: bars ? () => colourOf(colour) : undefined,
          width: bars ? 0 : 2,
          points: { show: false },
          paths,
        })),
      ],
    };
  }

  draw(times, rows) {
    this.plot.setData([
      times,
      ...this.lines.map(({ read }) => rows.map((row) => read(...row) ?? null)),
    ]);
    this.showValues();
  }

  showValues() {
    const [times, ...values] = this.plot.data;
    const at = this.plot.cursor.idx ?? times.length - 1;
    this.outputs.forEach((output, index) => {
      output.textContent = shown(this.format, values[index][at]);
    });
  }
}

/** As much time as is kept, up to the latest sample. */
function shownTime() {
  const end = (samples.at(-1)?.time ?? Date.now()) / 1_000;
  return [end - (samplesShown * intervalMs) / 1_000, end];
}

function ratesOf(before, sample) {
  const seconds = (sample.time - before.time) / 1_000;
  const rate = (read) => (read(sample) - read(before)) / seconds;
  return {
    made: rate(({ made }) => made),
    received: rate(({ received }) => received),
    sent: rate(({ sent }) => sent),
    failed: rate(failed),
  };
}

const drawn = charts.map((chart) => new Chart(chart));

function draw() {
  // The first has nothing to be compared with.
  const rows = samples.slice(1).map((sample, index) => [sample, ratesOf(samples[index], sample)]);
  const times = rows.map(([{ time }]) => time / 1_000);
  for (const chart of drawn) chart.draw(times, rows);
  const places = document.querySelectorAll('[data-now], [data-kind]');
  if (rows.length > 0) showNow(...rows.at(-1));
  else for (const place of places) place.textContent = '–';
}

function showNow(sample, rates) {
  const texts = {
    open: count(sample.open),
    received: bytesPerSecond(rates.received),
    sent: bytesPerSecond(rates.sent),
    median: shown(milliseconds, sample.rtt.median),
    failures: count(failed(sample) - failed(samples[0])),
  };
  for (const [name, text] of Object.entries(texts)) find(`[data-now=${name}]`).textContent = text;
  for (const [kind, number] of Object.entries(sample.failures)) {
    find(`[data-kind=${kind}]`).textContent = count(number - samples[0].failures[kind]);
  }
}

function showFailure({ time, component, message }) {
  const line = document.createElement('li');
  const when = document.createElement('time');
  when.textContent = clock.format(time);
  const who = document.createElement('b');
  who.textContent = component;
  const what = document.createElement('span');
  what.textContent = message;
  line.append(when, who, what);
  const list = find('#latest ol');
  list.prepend(line);
  while (list.childElementCount > failuresShown) list.lastElementChild.remove();
}

function setState(state, text) {
  document.body.dataset.state = state;
  find('#state').textContent = text;
}

let alarm;
let isLost = false;

function lose() {
  if (isLost) return;
  isLost = true;
  setState('lost', `Connection to the server lost at ${clock.format(Date.now())}; trying again`);
}

/** Called with each event: a server that says nothing for long is lost, too. */
function hear() {
  isLost = false;
  if (samples.length > 1) setState('live', 'Live');
  else setState('waiting', 'Waiting for the first figures');
  clearTimeout(alarm);
  alarm = setTimeout(lose, 3 * intervalMs + 2_000);
}

function follow() {
  const source = new EventSource('/events');
  const on = (event, then) =>
    source.addEventListener(event, ({ data }) => {
      then(JSON.parse(data));
      hear();
    });
  on('history', ({ interval, samples: before, failures }) => {
    intervalMs = interval;
    const seconds = (samplesShown * interval) / 1_000;
    find('#span').textContent = seconds < 120 ? `${seconds} s` : `${count(seconds / 60)} min`;
    samples = before.slice(-samplesShown - 1);
    find('#latest ol').replaceChildren();
    failures.forEach(showFailure);
    draw();
  });
  on('sample', (sample) => {
    samples = [...samples, sample].slice(-samplesShown - 1);
    draw();
  });
  on('failure', showFailure);
  source.addEventListener('error', () => {
    clearTimeout(alarm);
    lose();
    // It tries again by itself, unless there was an answer that it does not understand.
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, 1_000);
  });
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const { plot } of drawn) plot.redraw();
});
follow();
