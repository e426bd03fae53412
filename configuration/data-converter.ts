import { createRequire } from 'node:module';
import path from 'node:path';
import type { DataConverter, PayloadCodec } from '@temporalio/common';
import { ensureError } from '../contract/failures';
import { importFile, isFile } from '../documents/import-file';
import { ConfigurationError, gatherValues } from './load';

const REMEDY =
  'export payloadCodecs, payloadConverterPath or failureConverterPath, as in examples/payload-codec';

/**
 * The data converter of the module that this process is configured with, if any: for workers, the library and
 * the commands. Other wrong settings are ignored here; the commands that need them report them.
 *
 * @throws ConfigurationError
 */
export async function configuredDataConverter(): Promise<DataConverter | undefined> {
  const problems: string[] = [];
  const { dataConverter: module } = gatherValues(process.env, process.cwd(), problems);
  // An unreadable file may name a converter. Without it, encoded payloads could not be read, and new ones
  // would not be encoded.
  if (problems.length > 0) throw new ConfigurationError(problems);
  return typeof module === 'string' && module !== '' ? loadDataConverter(module) : undefined;
}

/**
 * Loads a data converter. A module (ESM or CommonJS) exports `payloadCodecs`, `payloadConverterPath` or
 * `failureConverterPath`, by name or in its default export, each as in the SDK's DataConverter. Its paths are
 * relative to the module.
 *
 * @param module path, relative to the working directory
 * @throws ConfigurationError with file, cause and remedy
 */
export async function loadDataConverter(module: string): Promise<DataConverter> {
  const file = path.resolve(module);
  const wrong = (cause: string, remedy: string): ConfigurationError =>
    new ConfigurationError([`REPUBLISH_DATA_CONVERTER (dataConverter): "${module}" ${cause}; ${remedy}`]);
  if (!(await isFile(file)))
    throw wrong(`is no file at ${file}`, 'correct the path: in the file it is relative to the file');
  let exported: Record<string, unknown>;
  try {
    exported = exportsOf(await importFile(file));
  } catch (error) {
    const [reason] = ensureError(error).message.split('\n');
    throw wrong(`cannot be loaded: ${reason}`, 'correct the module: node can try it alone, node <file>');
  }
  const { payloadCodecs, payloadConverterPath, failureConverterPath } = exported;
  if ([payloadCodecs, payloadConverterPath, failureConverterPath].every((value) => value === undefined))
    throw wrong('exports no data converter', REMEDY);
  if (payloadCodecs !== undefined && !(Array.isArray(payloadCodecs) && payloadCodecs.every(isCodec)))
    throw wrong(
      'exports payloadCodecs that are none',
      'export a list of { encode(payloads), decode(payloads) }',
    );
  const pathOf = (name: string, value: unknown): string => {
    try {
      return createRequire(file).resolve(String(value));
    } catch {
      throw wrong(
        `exports a ${name} that is no file: ${String(value)}`,
        'correct the path, relative to the module',
      );
    }
  };
  return {
    ...(payloadCodecs === undefined ? {} : { payloadCodecs: payloadCodecs as PayloadCodec[] }),
    ...(payloadConverterPath === undefined
      ? {}
      : { payloadConverterPath: pathOf('payloadConverterPath', payloadConverterPath) }),
    ...(failureConverterPath === undefined
      ? {}
      : { failureConverterPath: pathOf('failureConverterPath', failureConverterPath) }),
  };
}

/**
 * With a codec, failures are encoded too, unless a failure converter is given: a message can contain the same
 * secrets as an input. Every client and every worker uses this.
 */
export function withEncodedFailures(converter: DataConverter | undefined): DataConverter | undefined {
  if (converter?.payloadCodecs === undefined || converter.failureConverterPath !== undefined)
    return converter;
  return { ...converter, failureConverterPath: require.resolve('./encoded-failures') };
}

/**
 * The named exports, with those of a default export: import() returns a CommonJS module as a default export.
 */
function exportsOf(namespace: Record<string, unknown>): Record<string, unknown> {
  const { default: inner } = namespace;
  return typeof inner === 'object' && inner !== null ? { ...inner, ...namespace } : namespace;
}

function isCodec(value: unknown): boolean {
  const { encode, decode } = (value ?? {}) as Partial<PayloadCodec>;
  return typeof encode === 'function' && typeof decode === 'function';
}
