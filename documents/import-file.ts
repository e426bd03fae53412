import { stat } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { constants, runInThisContext } from 'node:vm';
import { DEFINITION_WRONG } from './document-type';

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

/** A field of what code of others gave or threw. Undefined also if reading it throws. */
export function fieldOf(thrown: unknown, field: string): unknown {
  if ((typeof thrown !== 'object' && typeof thrown !== 'function') || thrown === null) return undefined;
  try {
    return (thrown as Record<string, unknown>)[field];
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): unknown {
  return fieldOf(error, 'code');
}

/**
 * Name and code of what code of others threw, such as `TypeError (ECONNREFUSED)`, in place of its message,
 * which may quote a secret. Each only if it looks like an identifier: they are text of others, too.
 */
export function nameAndCode(thrown: unknown): string {
  const name = fieldOf(thrown, 'name') ?? typeof thrown;
  const code = [thrown, fieldOf(thrown, 'cause')].map(codeOf).find(isIdentifier);
  return `${isIdentifier(name) ? name : 'an error'}${code === undefined ? '' : ` (${code})`}`;
}

function isIdentifier(text: unknown): text is string {
  return typeof text === 'string' && /^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(text);
}

/**
 * Why a module of others did not load. The message is shown only where it can quote no secret: of a file that
 * was not found, of a RepublishError and of defineDocumentType.
 */
export function whyNotLoaded(thrown: unknown): string {
  const message = fieldOf(thrown, 'message');
  const isShown =
    isNotFound(thrown) || fieldOf(thrown, 'name') === 'RepublishError' || codeOf(thrown) === DEFINITION_WRONG;
  // The other lines list where require() looked.
  const [first] = isShown && typeof message === 'string' ? message.split('\n') : [];
  return `cannot be loaded: ${first ?? `${nameAndCode(thrown)}, whose message is not repeated here`}`;
}

/** A module imports what is not there. */
export function isNotFound(thrown: unknown): boolean {
  const code = codeOf(thrown);
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
}
