import { stat } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { constants, runInThisContext } from 'node:vm';

/* Loads modules of others, which the configuration names. */

type Namespace = Record<string, unknown>;

export async function isFile(file: string): Promise<boolean> {
  return stat(file).then(
    (entry) => entry.isFile(),
    () => false,
  );
}

/**
 * `import()`, also where this file is compiled in a VM without a loader, as jest does it: then by the loader
 * of Node itself.
 */
export async function importFile(file: string): Promise<Namespace> {
  const url = pathToFileURL(file).href;
  try {
    return (await import(url)) as Namespace;
  } catch (error) {
    if (codeOf(error) !== 'ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING_FLAG') throw error;
    const load = runInThisContext('(url) => import(url)', {
      importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    }) as (url: string) => Promise<Namespace>;
    return load(url);
  }
}

/** Of an error of another realm too, which ensureError would wrap. */
export function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
