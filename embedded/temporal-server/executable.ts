import { accessSync, constants, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { run } from '../run';

/** The version that is downloaded. A Temporal CLI on PATH may have any version. */
export const TEMPORAL_CLI_VERSION = '1.9.1';

/** The path of the Temporal CLI, or why it was not found. */
export type Found = { path: string } | { why: string };

/** All executable files with this name on PATH, in order. */
export function onPath(name: string, env: NodeJS.ProcessEnv): string[] {
  const fileName = process.platform === 'win32' ? `${name}.exe` : name;
  return (env['PATH'] ?? '')
    .split(path.delimiter)
    .filter((dir) => path.isAbsolute(dir))
    .map((dir) => path.join(dir, fileName))
    .filter(isExecutableFile);
}

/** Whether this is a file that this user may execute. */
export function isExecutableFile(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Runs `--version` and checks its output: many other programs also accept it and exit with 0. */
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
 * Whether only this user and root may write the file and its folder. The cache may be in a temporary
 * directory where every user may write, and its content is executed.
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
