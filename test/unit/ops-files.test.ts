import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { configurationSchema } from '../../configuration/schema';

/**
 * There is no container engine and no systemd in most places where tests run: what can be known without is
 * held here.
 */
const root = path.resolve(__dirname, '../..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

/** What `test/support/command-line.ts` and `embedded/worker-process.ts` run. */
const COMMAND_LINE = 'dist/client/cli/main.js';
const BOUND_MS = configurationSchema.parse({}).shutdownGraceMs + 20_000;

const dockerfile = read('ops/docker/Dockerfile')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));
const instruction = (name: string): string =>
  dockerfile.findLast((line) => line.startsWith(`${name} `))?.slice(name.length + 1) ?? '';

describe('the image', () => {
  test('runs the command that the tests run, without a shell that would keep SIGTERM to itself', () => {
    expect(JSON.parse(instruction('ENTRYPOINT'))).toEqual(['node', COMMAND_LINE]);
    expect(JSON.parse(instruction('CMD'))).toEqual(['worker']);
    expect(read('embedded/worker-process.ts')).toContain("'../client/cli/main.js'");
    expect(existsSync(path.join(root, COMMAND_LINE))).toBe(true);
  });

  test('runs as somebody who is not root, on a pinned release', () => {
    expect(instruction('USER')).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(instruction('ARG')).toMatch(/^NODE_IMAGE=node:(20|22|24)\.\d+-bookworm-slim$/);
  });

  test('asks the worker how it is where the worker answers', () => {
    const [, port] = /REPUBLISH_METRICS_ADDRESS=0\.0\.0\.0:(\d+)/.exec(instruction('ENV')) ?? [];
    expect(instruction('EXPOSE')).toBe(port);
    expect(instruction('HEALTHCHECK')).toContain(`http://127.0.0.1:${port}/livez`);
  });

  test('is built from files that are there and not ignored, and from every room of the build', () => {
    const ignore = read('.dockerignore').split('\n');
    const sources = dockerfile
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(' ').slice(1, -1))
      .filter((source) => !source.startsWith('--'));
    for (const source of sources) {
      const plain = source.replaceAll(/[[\]]/g, '');
      expect(ignore).toContain(`!${plain}`);
      if (source === plain) expect(existsSync(path.join(root, source))).toBe(true);
    }
    const { include } = JSON.parse(read('tsconfig.build.json')) as { include: string[] };
    expect(sources.map((source) => source.replaceAll(/[[\]]/g, ''))).toEqual(expect.arrayContaining(include));
  });
});

describe('the compose file', () => {
  interface Service {
    build?: { context: string; dockerfile: string };
    volumes?: string[];
    stop_grace_period?: string;
    environment?: Record<string, string>;
    secrets?: { source: string; target: string }[];
  }
  const { services } = parse(read('ops/docker/compose.yaml')) as { services: Record<string, Service> };
  const worker = services.worker ?? {};

  test('has Temporal, Postgres and a worker, of files that are there', () => {
    expect(Object.keys(services).sort()).toEqual(['postgres', 'temporal', 'worker']);
    const context = path.join(root, 'ops/docker', worker.build?.context ?? '');
    expect(existsSync(path.join(context, worker.build?.dockerfile ?? ''))).toBe(true);
    const mounted = Object.values(services)
      .flatMap(({ volumes = [] }) => volumes)
      .map((volume) => volume.split(':')[0] ?? '')
      .filter((source) => source.startsWith('.'));
    expect(mounted).not.toEqual([]);
    for (const source of mounted) expect(existsSync(path.join(root, 'ops/docker', source))).toBe(true);
  });

  test('gives the worker its secret as a file, and longer to end than it ever takes', () => {
    expect(worker.environment?.REPUBLISH_SECRETS_KEY_FILE).toBe(
      `/run/secrets/${worker.secrets?.[0]?.target}`,
    );
    expect(worker.environment?.REPUBLISH_SECRETS_KEY).toBeUndefined();
    expect(parseInt(worker.stop_grace_period ?? '', 10) * 1_000).toBeGreaterThan(BOUND_MS);
  });
});

describe('the systemd unit', () => {
  const unit = read('ops/systemd/republish-worker.service');
  const setting = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1] ?? '';

  test('runs the command that the tests run, as it lies in the package', () => {
    const { name, bin } = JSON.parse(read('package.json')) as { name: string; bin: { republish: string } };
    expect(bin.republish).toBe(COMMAND_LINE);
    expect(setting('ExecStart')).toBe(
      `/usr/bin/node /opt/republish/node_modules/${name}/${COMMAND_LINE} worker`,
    );
  });

  test('gives the worker longer to end than it ever takes, and signals nobody else', () => {
    expect(parseInt(setting('TimeoutStopSec'), 10) * 1_000).toBeGreaterThan(BOUND_MS);
    expect(setting('KillMode')).toBe('mixed');
  });

  test('leaves no dump of its memory, and uses no specifier that systemd 247 (Debian 11) lacks', () => {
    expect(setting('LimitCORE')).toBe('0');
    const lines = unit.split('\n').filter((line) => !line.startsWith('#'));
    // systemd.unit(5) of 247; %d came with 250.
    const specifiers = new Set(lines.flatMap((line) => line.match(/%./g) ?? []));
    expect([...specifiers].filter((each) => !/%[aAbBCEfgGhHiIjJlLmMnNopPsStTuUvVw%]/.test(each))).toEqual([]);
  });
});
