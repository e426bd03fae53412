import type { ProcessGroup } from '../../embedded/process-group';
import { startWorkerProcess } from '../../embedded/worker-process';
import { parseMetrics, type Sample } from './scrape';

export interface MonitoredWorker {
  process: ProcessGroup;
  /** Its log, line by line. */
  logs: string[];
  get(path: string): Promise<{ status: number; body: string }>;
  scrape(): Promise<Sample[]>;
}

/** `republish worker` as it is built, with its metrics on a free port. */
export async function startMonitoredWorker(env: Record<string, string>): Promise<MonitoredWorker> {
  const logs: string[] = [];
  const worker = await startWorkerProcess({ ...env, REPUBLISH_METRICS_ADDRESS: '127.0.0.1:0' }, (line) =>
    logs.push(line),
  );
  const line = logs.find((each) => each.includes('metrics and health are served'));
  if (line === undefined) throw new Error('the worker does not say where its metrics are');
  const { address } = JSON.parse(line) as { address: string };
  const get = async (path: string): Promise<{ status: number; body: string }> => {
    const response = await fetch(`http://${address}${path}`, { signal: AbortSignal.timeout(10_000) });
    return { status: response.status, body: await response.text() };
  };
  return {
    process: worker,
    logs,
    get,
    scrape: async () => parseMetrics((await get('/metrics')).body),
  };
}
