/** Pages of node:http, whatever sockets carry them. Every page says the name it was asked by. */
import http from 'node:http';
import type { Place } from './peer.js';

export function pageServer(): http.Server {
  return http.createServer((request, response) => response.end(`page ${request.url}`));
}

function pageOf(agent: http.Agent, place: Place, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const at = 'path' in place ? { socketPath: place.path } : place;
    const request = http.get({ ...at, agent, path }, (response) => {
      let page = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        page += text;
      });
      response.on('end', () => resolve(page)).on('error', reject);
    });
    request.on('error', reject);
  });
}

/** Asks on so many connections at once for so long; the number of pages, each compared. */
export async function askPages(
  agent: http.Agent,
  place: Place,
  connections: number,
  milliseconds: number,
): Promise<number> {
  const endMs = performance.now() + milliseconds;
  let pages = 0;
  const ask = async (connection: number): Promise<void> => {
    for (let question = 0; performance.now() < endMs; question++) {
      const path = `/${connection}/${question}`;
      const page = await pageOf(agent, place, path);
      if (page !== `page ${path}`) throw new Error(`asked for ${path}, and got "${page}"`);
      pages++;
    }
  };
  await Promise.all(Array.from({ length: connections }, (_, index) => ask(index)));
  return pages;
}
