import * as echarts from 'echarts';
import type { Report, Row, WorkloadResult } from './results.js';
import { digits } from './table.js';

const WIDTH = 1100;
const COLUMNS = 2;
const HEADER = 60;
const TITLE = 44;
const ROW = 26;
const PANEL_GAP = 24;
const LABEL_WIDTH = 190;
const VALUE_WIDTH = 110;
const COLORS: Record<string, string> = {
  c: '#8c8c8c',
  sock: '#2f6fde',
  bun: '#e0a030',
  node: '#5a9a4a',
};

interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const measuredRows = (result: WorkloadResult) => result.rows.filter((row) => row.value !== null);

const panelHeight = (result: WorkloadResult) => TITLE + ROW * measuredRows(result).length;

/** Panels side by side; a line of them is as high as its highest. */
function layOut(results: readonly WorkloadResult[]): { boxes: Box[]; height: number } {
  const boxes: Box[] = [];
  const columnWidth = WIDTH / COLUMNS;
  let top = HEADER;
  for (let first = 0; first < results.length; first += COLUMNS) {
    const line = results.slice(first, first + COLUMNS);
    line.forEach((result, column) => {
      boxes.push({
        left: column * columnWidth + LABEL_WIDTH,
        top: top + TITLE,
        width: columnWidth - LABEL_WIDTH - VALUE_WIDTH,
        height: panelHeight(result) - TITLE,
      });
    });
    top += Math.max(...line.map(panelHeight)) + PANEL_GAP;
  }
  return { boxes, height: top };
}

const colorOf = (row: Row) => COLORS[row.id.split('-')[0] ?? ''] ?? '#555555';

function valueLabel(row: Row): string {
  const ratio = row.ratioToC === null ? '' : `  ${digits(row.ratioToC.median)} × C`;
  return `${digits(row.value?.median ?? 0)}${ratio}`;
}

function panelTitle(
  result: WorkloadResult,
  { left, top, width }: Box,
): echarts.TitleComponentOption {
  return {
    text: result.title,
    subtext: result.unit,
    left: left - LABEL_WIDTH + 8,
    top: top - TITLE,
    itemGap: 2,
    textStyle: {
      fontSize: 13,
      width: width + LABEL_WIDTH + VALUE_WIDTH - 16,
      overflow: 'truncate',
    },
    subtextStyle: { fontSize: 11 },
  };
}

function panelBars(result: WorkloadResult, index: number): echarts.BarSeriesOption {
  return {
    type: 'bar',
    xAxisIndex: index,
    yAxisIndex: index,
    barWidth: 14,
    data: measuredRows(result).map((row) => ({
      value: row.value?.median ?? 0,
      itemStyle: { color: colorOf(row) },
      label: { show: true, position: 'right', fontSize: 11, formatter: valueLabel(row) },
    })),
  };
}

/** One SVG with a panel per workload; shorter is better everywhere. */
export function svgChart({ machine, workloads }: Report): string {
  const shown = workloads.filter((result) => measuredRows(result).length > 0);
  const { boxes, height } = layOut(shown);
  const facts = [machine.cpu, machine.kernel, `Node ${machine.node}`, machine.congestion];
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    title: [
      {
        text: 'Shorter is better',
        subtext: `${facts.join(' · ')} · ${machine.date.slice(0, 10)}`,
        left: 8,
        top: 4,
      },
      ...shown.flatMap((result, index) => {
        const box = boxes[index];
        return box === undefined ? [] : [panelTitle(result, box)];
      }),
    ],
    grid: boxes.map((box) => ({ ...box })),
    xAxis: shown.map((_, gridIndex) => ({ type: 'value', gridIndex, show: false, min: 0 })),
    yAxis: shown.map((result, gridIndex) => ({
      type: 'category',
      gridIndex,
      inverse: true,
      data: measuredRows(result).map((row) => row.label),
      axisTick: { show: false },
      axisLabel: { fontSize: 11, width: LABEL_WIDTH - 20, overflow: 'truncate' },
    })),
    series: shown.map(panelBars),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
