import type { UpdateName } from '../contract/control';
import { canBeStored } from '../contract/free-text';
import { problemOfId } from './ids';

const MAX_LENGTHS = { by: 200, reason: 500, documentType: 200, machineId: 200 } as const;

/** What is wrong with the argument of an update, as a sentence; undefined when it is sound. */
export function problemOfControl(name: UpdateName, argument: unknown): string | undefined {
  if (argument == null) return undefined;
  if (typeof argument !== 'object' || Array.isArray(argument))
    return `the argument of ${name} must be a JSON object, or be left out`;
  const selects = name === 'retry' || name === 'skip';
  const known = Object.keys(MAX_LENGTHS).filter((key) => selects || key === 'by' || key === 'reason');
  for (const [key, value] of Object.entries(argument)) {
    if (!known.includes(key))
      return `unknown key ${JSON.stringify(key.slice(0, 60))}; ${name} knows ${known.join(', ')}`;
    if (value == null) continue;
    if (key === 'machineId') {
      const problem = problemOfId(key, value);
      if (problem !== undefined) return problem;
      continue;
    }
    const maxLength = MAX_LENGTHS[key as keyof typeof MAX_LENGTHS];
    if (typeof value !== 'string' || value === '' || value.length > maxLength)
      return `${key} must be a text of 1 to ${maxLength} characters`;
    // The audit could not keep it.
    if (!canBeStored(value)) return `${key} must be a text without NUL characters and halves of characters`;
  }
  return undefined;
}
