import { ConfigurationError } from '../configuration/load';
import { suggest } from '../rules/suggest';
import type { DocumentType } from '../documents/document-type';

/**
 * Refuses a query for an unknown document type. With a typo, the right type would be read from its default
 * table and published.
 *
 * @throws ConfigurationError
 */
export function requireTypesOfQueries(configured: string[], documentTypes: readonly DocumentType[]): void {
  const known = documentTypes.map(({ type }) => type);
  const problems = configured
    .filter((type) => !known.includes(type))
    .map((type) => `queries.documents.${type} is for no known document type (${suggestion(type, known)})`);
  if (new Set(known).size < known.length)
    problems.push(`a document type is registered twice: ${known.join(', ')}`);
  if (problems.length > 0) throw new ConfigurationError(problems);
}

function suggestion(type: string, known: string[]): string {
  const meant = suggest(type, known);
  return meant ? `did you mean ${meant}?` : `known are ${known.join(', ')}`;
}
