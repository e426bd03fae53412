import path from 'node:path';
import { z } from 'zod';
import { RepublishError } from '../contract/failures';
import { importFile, isFile, isNotFound, whyNotLoaded } from './import-file';
import { defineDocumentType, type DocumentType, isDocumentType } from './document-type';
import { documentTypes } from './registry';

/** All problems of the modules of `documentTypes`: file, cause, remedy. */
export class DocumentTypesError extends Error {
  override readonly name = 'DocumentTypesError';

  constructor(readonly problems: string[]) {
    super(problems.join('\n'));
  }
}

/**
 * The shipped document types and those of the modules. A type of a module replaces the shipped type of the
 * same name.
 *
 * A module (ESM or CommonJS) exports types made by defineDocumentType: as default, by name, or in arrays. A
 * default export that is a function is called with `{ defineDocumentType, z, RepublishError }`, for modules
 * in a folder from which this package cannot be imported.
 *
 * @param modules paths, relative to `directory` (default: the working directory)
 * @throws DocumentTypesError with every problem of all modules
 */
export async function loadDocumentTypes(
  modules: readonly string[],
  directory = '',
): Promise<readonly DocumentType[]> {
  const problems: string[] = [];
  const own = new Map<string, { type: DocumentType; module: string }>();
  const files = new Map(modules.map((module) => [path.resolve(directory, module), module]));
  // One after another, so that the result and the order of problems are always the same.
  for (const [file, module] of files) {
    for (const type of await typesOf(file, module, problems)) {
      const other = own.get(type.type);
      if (other?.type === type) continue;
      if (other === undefined) own.set(type.type, { type, module });
      else problems.push(twice(type.type, other.module, module));
    }
  }
  if (problems.length > 0) throw new DocumentTypesError(problems);

  const shipped = documentTypes.map((type) => own.get(type.type)?.type ?? type);
  const added = [...own.values()].map(({ type }) => type).filter((type) => !shipped.includes(type));
  return Object.freeze([...shipped, ...added]);
}

function twice(type: string, first: string, second: string): string {
  const where =
    first === second ? `"${first}" exports it twice` : `"${first}" and "${second}" both export it`;
  return `documentTypes: ${where}: the type "${type}"; keep one of them, or give one another name`;
}

async function typesOf(file: string, module: string, problems: string[]): Promise<DocumentType[]> {
  const report = (cause: string, remedy: string): DocumentType[] => {
    problems.push(`documentTypes: "${module}" ${cause}; ${remedy}`);
    return [];
  };
  if (!(await isFile(file))) {
    return report(
      `is no file at ${file}`,
      'correct the path, which is relative to the folder of the configuration file',
    );
  }
  let found: Found;
  try {
    found = await collect(await importFile(file));
  } catch (error) {
    return report(whyNotLoaded(error), remedyOf(error));
  }
  if (found.foreign.length > 0) {
    return report(
      `exports in ${found.foreign.join(', ')} what defineDocumentType has not made`,
      'wrap each type: defineDocumentType({ ... })',
    );
  }
  if (found.types.length === 0) {
    return report(
      'exports no document type',
      'export what defineDocumentType of republish-operator-configs/documents gives, or a default ' +
        'function ({ defineDocumentType, z }) => type',
    );
  }
  return found.types;
}

function remedyOf(error: unknown): string {
  return isNotFound(error)
    ? 'install the imported packages next to it, or export a default function ({ defineDocumentType, z }) => ' +
        'type, which needs no import'
    : 'correct the module: node can try it alone, node <file>';
}

interface Found {
  types: DocumentType[];
  /** Exports that look like a type and are none. */
  foreign: string[];
}

async function collect(namespace: Record<string, unknown>): Promise<Found> {
  const types = new Set<DocumentType>();
  const foreign: string[] = [];
  const take = (name: string, value: unknown): void => {
    if (isDocumentType(value)) {
      // It may come from another copy of this package with other rules: this copy checks it, too.
      defineDocumentType(value);
      types.add(value);
    } else if (Array.isArray(value) && value.some(isDocumentType)) {
      value.forEach((inner, index) => take(`${name}[${index}]`, inner));
    } else if (looksLikeType(value)) {
      foreign.push(name);
    }
  };
  for (const [name, value] of exportsOf(namespace)) {
    const given: unknown =
      name === 'default' && typeof value === 'function'
        ? await value({ defineDocumentType, z, RepublishError })
        : value;
    take(name, given);
  }
  return { types: [...types], foreign: [...new Set(foreign)] };
}

/** All exports. import() returns a CommonJS module as its default export and only partly by name. */
function exportsOf(namespace: Record<string, unknown>): Map<string, unknown> {
  const all = new Map(Object.entries(namespace));
  // Newer versions of Node repeat the default under this name.
  all.delete('module.exports');
  const commonJs = all.get('default');
  if (typeof commonJs !== 'object' || commonJs === null) return all;
  if (Array.isArray(commonJs) || isDocumentType(commonJs) || looksLikeType(commonJs)) return all;
  all.delete('default');
  for (const [name, value] of Object.entries(commonJs)) all.set(name, value);
  return all;
}

/** Recognised by its members: an unchecked type must be reported, not ignored. */
function looksLikeType(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'type' in value && 'assemble' in value;
}
