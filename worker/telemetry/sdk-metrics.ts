import { createServer, type AddressInfo } from 'node:net';

const READ_TIMEOUT_MS = 2_000;

/**
 * A free port on the loopback interface. The SDK serves its metrics on a port of its own and says nowhere
 * which one it was given, so it cannot be asked to take any.
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
 * What the SDK serves there; a comment in its place when it does not answer, so that the worker's own metrics
 * still come.
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
