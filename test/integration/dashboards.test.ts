import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { type MonitoredWorker, startMonitoredWorker } from '../support/monitored-worker';
import { type Saga, startSaga } from '../support/saga';
import { namesOf } from '../support/scrape';
import { until } from '../support/until';

const root = path.resolve(__dirname, '../..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

interface AlertRule {
  alert: string;
  expr: string;
}

const alerts = (
  parse(read('ops/prometheus/alerts.yaml')) as { groups: { rules: AlertRule[] }[] }
).groups.flatMap(({ rules }) => rules);
const panels = (
  JSON.parse(read('ops/grafana/republish.json')) as {
    panels: { title: string; targets?: { expr: string }[]; gridPos: Record<'x' | 'y' | 'w' | 'h', number> }[];
  }
).panels;

/** The metrics that an expression names: all that is no function, keyword, label or text. */
function metricsIn(expression: string): string[] {
  const bare = expression
    .replaceAll(/"[^"]*"/g, '')
    .replaceAll(/\{[^}]*\}/g, '')
    .replaceAll(/\b(by|without|on|ignoring) *\([^)]*\)/g, '')
    .replaceAll(/\[[^\]]*\]/g, '');
  return [...bare.matchAll(/[a-zA-Z_:][a-zA-Z0-9_:]*/g)]
    .filter(({ 0: word, index }) => word.includes('_') && !bare.slice(index + word.length).startsWith('('))
    .map(([word]) => word);
}

/** Only a worker with a provider of signers shows it: custom-parts.test.ts. */
const OF_CUSTOM_SIGNERS = 'republish_custom_signer_requests_total';
/** Our metrics in docs/operations.md. */
const explainedMetrics = [...read('docs/operations.md').matchAll(/^\| `(republish_\w+)/gm)].map(
  ([, name = '']) => name,
);
/** The metrics of a histogram have these endings. */
const bare = (name: string): string => name.replace(/_(bucket|sum|count)$/, '');

const named = (expressions: string[]): string[] => [...new Set(expressions.flatMap(metricsIn))].sort();
const inAlerts = named(alerts.map(({ expr }) => expr));
const inDashboard = named(panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)));

describe('dashboard and alerts', () => {
  let saga: Saga;
  let worker: MonitoredWorker;
  let shown: Set<string>;

  beforeAll(async () => {
    saga = await startSaga();
    worker = await startMonitoredWorker(saga.env);
    saga.onStop(() => worker.process.stop('SIGTERM', 35_000));

    const { id, bunker } = await saga.addOperator({ machines: 2 });
    await (await saga.start(id)).result();
    // And one that goes wrong: there is no count of failures before the first.
    bunker.setFaults(({ method }) => (method === 'sign_event' ? { error: 'denied' } : undefined));
    await expect((await saga.start(id, { force: true, resetCounts: true })).result()).rejects.toMatchObject({
      failed: 4,
    });
    // A release that does not know a workflow is one of those that do not fit.
    const unknown = await saga.client.workflow.start('ofALaterRelease', {
      taskQueue: saga.env.REPUBLISH_TASK_QUEUE ?? '',
      workflowId: `unknown-${id}`,
    });
    saga.onStop(() => unknown.terminate());
    // Of a run that was terminated the next heartbeat is refused.
    let isAsked = false;
    const silence = new Promise<undefined>((resolve) => saga.onStop(() => resolve(undefined)));
    bunker.setFaults(() => ((isAsked = true), silence));
    const ended = await saga.start(id, { force: true, resetCounts: true });
    await until(() => isAsked);
    await saga.client.workflow.getHandle(ended.workflowId, ended.runId).terminate();
    // Some come out a moment after what they count. If one never comes, a test below names it.
    const awaited = [
      ...inAlerts,
      ...inDashboard,
      ...explainedMetrics.filter((name) => name !== OF_CUSTOM_SIGNERS),
    ];
    await until(async () => {
      shown = namesOf(await worker.scrape());
      const names = new Set([...shown, ...[...shown].map(bare)]);
      return awaited.every((name) => names.has(name));
    }).catch((thrown: unknown) => {
      if (shown === undefined) throw thrown;
    });
  }, 120_000);
  afterAll(() => saga.stop());

  test('name something at all', () => {
    expect(inAlerts.length).toBeGreaterThan(8);
    expect(inDashboard).toEqual(
      expect.arrayContaining(['republish_documents_total', 'process_resident_memory_bytes']),
    );
  });

  test.each([...new Set([...inAlerts, ...inDashboard])])('%s comes out of a worker', (metric) => {
    expect([...shown]).toContain(metric);
  });

  test('each of our metrics is explained in docs/operations.md, and nothing is explained that is none', () => {
    const ours = [...[...shown].filter((name) => name.startsWith('republish_')).map(bare), OF_CUSTOM_SIGNERS];
    expect(new Set(explainedMetrics)).toEqual(new Set(ours));
  });

  test('each alert is explained there too', () => {
    const explained = [...read('docs/operations.md').matchAll(/^\| `(Republish\w+)`/gm)].map(
      ([, name]) => name,
    );
    expect(new Set(explained)).toEqual(new Set(alerts.map(({ alert }) => alert)));
  });

  test('no two panels lie on each other', () => {
    const overlapping = panels.filter((one, n) =>
      panels.slice(n + 1).some(({ gridPos: other }) => {
        const { x, y, w, h } = one.gridPos;
        return x < other.x + other.w && other.x < x + w && y < other.y + other.h && other.y < y + h;
      }),
    );
    expect(overlapping.map(({ title }) => title)).toEqual([]);
  });
});

test('Prometheus’ settings name rule files that are there', () => {
  const { rule_files: files } = parse(read('ops/prometheus/prometheus.yaml')) as { rule_files: string[] };
  expect(readdirSync(path.join(root, 'ops/prometheus'))).toEqual(expect.arrayContaining(files));
});
