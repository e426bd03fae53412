import { accessSync, constants, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { run } from '../run';

/** The version that is fetched; one found on PATH may be any. */
export const TEMPORAL_CLI_VERSION = '1.9.1';

/** What came of one way to find the Temporal CLI: a path, or why there is none. */
export type Found = { path: string } | { why: string };

/** All files of that name on PATH that can be executed, in order. */
export function onPath(name: string, env: NodeJS.ProcessEnv): string[] {
  const fileName = process.platform === 'win32' ? `${name}.exe` : name;
  return (env['PATH'] ?? '')
    .split(path.delimiter)
    .filter((dir) => path.isAbsolute(dir))
    .map((dir) => path.join(dir, fileName))
    .filter(isExecutableFile);
}

/** Whether the file is there, is a file, and may be executed by us. */
export function isExecutableFile(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/**
 * Asks a file whether it is the Temporal CLI: many other programs also accept `--version` and exit with 0.
 */
export async function checkTemporalCli(
  file: string,
  env: NodeJS.ProcessEnv,
  timeoutMs: number,
): Promise<Found> {
  const { ok, stdout, reason } = await run(file, ['--version'], { env, timeoutMs });
  if (!ok) return { why: `${file} did not answer --version: ${reason}` };
  if (!/^temporal version \d/m.test(stdout)) {
    return { why: `${file} is not the Temporal CLI: --version printed "${stdout.trim().slice(0, 80)}"` };
  }
  return { path: file };
}

/**
 * Whether this file and its folder are ours (or root's) and closed to everybody else. The cache may lie in a
 * temporary directory that everybody writes to, and what is in it gets executed.
 */
export async function isOnlyOurs(file: string): Promise<boolean> {
  const uid = process.getuid?.();
  if (uid === undefined) return true;
  for (const entry of [file, path.dirname(file)]) {
    const { uid: owner, mode } = await stat(entry);
    if ((owner !== uid && owner !== 0) || (mode & 0o002) !== 0) return false;
  }
  return true;
}
