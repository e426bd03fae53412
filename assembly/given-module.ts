import path from 'node:path';
import { RepublishError } from '../contract/failures';
import { importFile, isFile, whyNotLoaded } from '../documents/import-file';

/**
 * Loads the default export of a module that the configuration names: an object, or a function of `{
 * RepublishError }` that returns or promises one. The function is for a module in a folder from which this
 * package cannot be imported.
 *
 * @param key of the configuration
 * @param module path, relative to the working directory
 * @throws Error with file, cause and remedy
 */
export async function loadGiven<T>(key: 'signerProviders' | 'source', module: string): Promise<T> {
  const file = path.resolve(module);
  const wrong = (cause: string, remedy: string): Error =>
    new Error(`${key}: "${module}" ${cause}; ${remedy}`);
  if (!(await isFile(file)))
    throw wrong(
      `is no file at ${file}`,
      'correct the path, which is relative to the folder of the configuration file',
    );
  let given: unknown;
  try {
    const exported = defaultOf(await importFile(file));
    given = typeof exported === 'function' ? await exported({ RepublishError }) : exported;
  } catch (thrown) {
    throw wrong(whyNotLoaded(thrown), 'correct the module: node can try it alone, node <file>');
  }
  if (typeof given !== 'object' || given === null)
    throw wrong(
      'has no object as its default export',
      `export it by default, as in examples/custom-${key === 'source' ? 'source' : 'signer'}`,
    );
  return given as T;
}

/** import() returns a CommonJS module as its default export, with a transpiled default inside. */
function defaultOf({ default: exported }: Record<string, unknown>): unknown {
  const isWrapped = typeof exported === 'object' && exported !== null && '__esModule' in exported;
  return isWrapped ? (exported as { default?: unknown }).default : exported;
}
