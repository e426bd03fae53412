import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ensureError } from '../../contract/failures';

/** What the listener serves. */
export interface Shown {
  /** Text in Prometheus' format. */
  metrics(): Promise<string>;
  /** Why the worker can take no work now. Empty: it can. */
  troubles(): Promise<string[]>;
}

export interface Listener {
  /** The host:port to which it is bound. */
  address: string;
  close(): Promise<void>;
}

const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * Serves `/metrics`, `/livez` and `/readyz`. It knows no secret and takes no input. Keep it inside a network
 * all the same: the metrics name the relays.
 *
 * @throws Error with the address, when it cannot be bound
 */
export async function listen(address: string, shown: Shown): Promise<Listener> {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 405, 'only GET\n');
    answerTo(new URL(request.url ?? '/', 'http://worker').pathname, shown, response).catch((thrown) =>
      answer(response, 500, `${ensureError(thrown).name}\n`),
    );
  });
  const { host, port } = split(address);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new Error(
          `metrics cannot be served at ${address} (${error.code ?? error.message}): free it, or change ` +
            `REPUBLISH_METRICS_ADDRESS`,
        ),
      ),
    );
    server.listen({ host, port, exclusive: true }, resolve);
  });
  const bound = server.address() as AddressInfo;
  return {
    address: `${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // Scrapers keep their connections open.
        server.closeAllConnections();
      }),
  };
}

async function answerTo(path: string, shown: Shown, response: ServerResponse): Promise<void> {
  switch (path) {
    case '/metrics':
      return answer(response, 200, await shown.metrics(), PROMETHEUS_TEXT);
    case '/livez':
      // Any answer means alive: a worker whose event loop hangs gives none.
      return answer(response, 200, 'alive\n');
    case '/readyz': {
      const troubles = await shown.troubles();
      if (troubles.length === 0) return answer(response, 200, 'ready\n');
      return answer(response, 503, `${troubles.join('\n')}\n`);
    }
    default:
      return answer(response, 404, 'there are /metrics, /livez and /readyz\n');
  }
}

function answer(
  response: ServerResponse,
  status: number,
  body: string,
  type = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(body);
}

function split(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}
