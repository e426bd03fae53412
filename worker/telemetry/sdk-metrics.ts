import { createServer, type AddressInfo } from 'node:net';

const READ_TIMEOUT_MS = 2_000;

/**
 * A free port on the loopback interface. The SDK serves its metrics on its own port and does not say which
 * one it got, so it cannot choose a free one.
 */
export function freeLoopbackPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen({ host: '127.0.0.1', port: 0, exclusive: true }, () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

/**
 * The SDK's metrics. When it does not answer, a comment takes their place, so that the worker's own metrics
 * are still served.
 */
export async function readSdkMetrics(port: number): Promise<string> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`, {
      signal: AbortSignal.timeout(READ_TIMEOUT_MS),
    });
    if (response.ok) return await response.text();
    return `# the Temporal SDK answered ${response.status}\n`;
  } catch {
    return '# the Temporal SDK does not answer\n';
  }
}
