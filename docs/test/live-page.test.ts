/** The page of docs/examples/live-page.ts in a browser, with real traffic and real failures. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, connect as tcpConnect } from 'node:net';
import { describeWithPeers, startScript, until, useCleanup } from '@sock/testing';
import { type Browser, chromium, type Page } from 'playwright-core';
import { bodyOf } from './example.js';

const shell = 'chromium-headless-shell';
const phone = { width: 390, height: 844 };
const cleanup = useCleanup();

async function startEcho(): Promise<Server> {
  const echo = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  await once(echo.listen(0, '127.0.0.1'), 'listening');
  cleanup.add({ close: () => echo.listening && echo.close() });
  return echo;
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

/** The example, in front of whoever listens on `upstreamPort`. */
async function startExample(upstreamPort: number, pagePort = 0) {
  const env = {
    ...{ PORT: '0', PAGE_PORT: String(pagePort), UPSTREAM_PORT: String(upstreamPort) },
    INTERVAL: '100',
  };
  const ready = /^(http:.*:(\d+)) shows the proxy on port (\d+)$/m;
  const program = await startScript(bodyOf('live-page'), { env, ready });
  const [, url = '', page, proxy] = program.ready;
  return { program, url, pagePort: Number(page), proxyPort: Number(proxy) };
}

/** Somebody who sends all the time, and does not mind what becomes of it. */
async function startClient(port: number) {
  const socket = tcpConnect(port, '127.0.0.1').on('error', () => {});
  cleanup.add({ close: () => socket.destroy() });
  socket.on('data', (bytes) => socket.writable && socket.write(bytes));
  socket.write(Buffer.alloc(100_000));
  await once(socket, 'data');
  return socket;
}

/** How many pixels of a chart have the colour of that variable, nearly. */
const pixels = (chart: string, colour: string) => `(() => {
  const probe = document.body.appendChild(document.createElement('i'));
  probe.style.color = 'var(${colour})';
  const wanted = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
  probe.remove();
  const canvas = document.querySelector('#${chart} canvas');
  const { width, height } = canvas;
  const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] < 200) continue;
    if (wanted.every((value, channel) => Math.abs(data[at + channel] - value) < 30)) count += 1;
  }
  return count;
})()`;

/** The contrast of two colours by the Web Content Accessibility Guidelines, 1 to 21. */
const contrast = (colour: string, ground: string) => `(() => {
  const probe = document.body.appendChild(document.createElement('i'));
  const luminance = (name) => {
    probe.style.color = 'var(' + name + ')';
    const [red, green, blue] = getComputedStyle(probe).color.match(/\\d+/g).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
  };
  const [less, more] = [luminance('${colour}'), luminance('${ground}')].sort((a, b) => a - b);
  probe.remove();
  return more / less;
})()`;

describeWithPeers([shell], 'of metrics, the live page', () => {
  let browser: Browser;
  beforeAll(async () => {
    // A sanitizer's runtime that is loaded into this process has no business in a browser.
    const { LD_PRELOAD: _, ...env } = process.env as Record<string, string>;
    // As root there is no sandbox to be had, and what it reads is ours.
    const args = ['--no-sandbox'];
    browser = await chromium.launch({ executablePath: `/usr/bin/${shell}`, args, env });
  });
  afterAll(() => browser.close());

  const complaints: string[] = [];
  const pages: Page[] = [];
  afterEach(async () => {
    complaints.splice(0);
    await Promise.all(pages.splice(0).map((page) => page.close()));
  });

  async function openPage(): Promise<Page> {
    const page = await browser.newPage({ colorScheme: 'light' });
    pages.push(page);
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    return page;
  }

  /** What can be read of the first of them. */
  const text = async (page: Page, selector: string) =>
    (await page.locator(selector).allInnerTexts())[0] ?? '';
  const now = (page: Page, name: string) => text(page, `[data-now=${name}]`);
  async function shows(page: Page, selector: string, expected: RegExp): Promise<void> {
    const isThere = async () => expected.test(await text(page, selector));
    await until(10_000, isThere, `${selector} as ${expected}`);
  }

  it('waits for figures, and shows connections, bytes, round trips and failures', async () => {
    const echo = await startEcho();
    const { url, proxyPort } = await startExample(portOf(echo));
    const page = await openPage();
    let letGo = () => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    await page.route('**/events', async (route) => {
      await held;
      await route.continue();
    });
    await page.goto(url);
    expect(await text(page, '#state')).toBe('Waiting for the first figures');
    expect(await now(page, 'open')).toBe('–');
    expect(await text(page, '#latest')).toContain('None so far.');
    letGo();
    await shows(page, '#state', /^Live$/);
    await shows(page, '[data-now=open]', /^0$/);
    await shows(page, '[data-now=received]', /^0 B\/s$/);
    expect(await now(page, 'median')).toBe('–');

    const clients = await Promise.all([1, 2, 3].map(() => startClient(proxyPort)));
    await shows(page, '[data-now=open]', /^6$/);
    await shows(page, '[data-now=received]', /^[1-9][\d.]* MB\/s$/);
    await shows(page, '[data-now=sent]', /^[1-9][\d.]* MB\/s$/);
    await shows(page, '[data-now=median]', /^[1-9][\d.]* (µs|ms)$/);
    for (const chart of ['connections', 'throughput', 'rtt']) {
      const drawn = async () => ((await page.evaluate(pixels(chart, '--first'))) as number) > 10;
      await until(10_000, drawn, `a line of ${chart}`);
    }
    expect(await now(page, 'failures')).toBe('0');
    expect(await page.evaluate(pixels('failures', '--bad'))).toBe(0);

    echo.close();
    clients[0]?.resetAndDestroy();
    await shows(page, '[data-kind=broken]', /^1$/);
    await shows(page, '#latest li', /core.*the connection with 127\.0\.0\.1:.*ECONNRESET/s);
    for (const client of clients) client.end();
    await shows(page, '[data-now=open]', /^0$/);
    const refused = tcpConnect(proxyPort, '127.0.0.1').on('error', () => {});
    cleanup.add({ close: () => refused.destroy() });
    await shows(page, '#latest li', /core.*connect ECONNREFUSED 127\.0\.0\.1/s);
    await shows(page, '[data-kind=connect]', /^1$/);
    expect(await now(page, 'failures')).toBe('2');
    expect(await page.evaluate(pixels('failures', '--bad'))).toBeGreaterThan(10);
    expect(complaints).toEqual([]);
  });

  it('says when the server is gone, and goes on by itself when it is back', async () => {
    const { program, url, pagePort } = await startExample(9);
    const page = await openPage();
    await page.goto(url);
    await shows(page, '#state', /^Live$/);
    await program.stop();
    await shows(page, '#state', /^Connection to the server lost at \d\d:\d\d:\d\d; trying again$/);
    const opacity = `getComputedStyle(document.querySelector('#now dd')).opacity`;
    expect(Number(await page.evaluate(opacity))).toBeLessThan(0.6);
    await startExample(9, pagePort);
    await shows(page, '#state', /^Live$/);
    expect(await page.evaluate(opacity)).toBe('1');
  });

  it('fits a phone, and can be read in a light and in a dark scheme', async () => {
    const { url, proxyPort } = await startExample(9);
    const page = await openPage();
    await page.setViewportSize(phone);
    await page.goto(url);
    tcpConnect(proxyPort, '127.0.0.1').on('error', () => {});
    await shows(page, '#latest li', /ECONNREFUSED/);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(phone.width);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      const ratio = async (colour: string) => page.evaluate(contrast(colour, '--card'));
      for (const ink of ['--ink', '--soft', '--good', '--bad']) {
        expect(await ratio(ink)).toBeGreaterThan(4.5);
      }
      for (const line of ['--first', '--second']) expect(await ratio(line)).toBeGreaterThan(3);
      const drawn = async () => ((await page.evaluate(pixels('failures', '--bad'))) as number) > 10;
      await until(10_000, drawn, `bars in the colour of the ${colorScheme} scheme`);
    }
  });
});
