import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Which build of the package runs. */
export interface Build {
  version: string;
  buildId: string;
}

/** @param buildId as configured. Default: the version of the package */
export function buildOf({ buildId }: { buildId?: string | undefined }): Build {
  const version = packageVersion();
  return { version, buildId: buildId ?? version };
}

/** Walks up: package.json is one folder higher seen from dist/ than seen from the sources. */
function packageVersion(): string {
  for (let folder = __dirname; ; folder = path.dirname(folder)) {
    const file = path.join(folder, 'package.json');
    if (existsSync(file)) return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
    if (folder === path.dirname(folder)) return 'unknown';
  }
}
