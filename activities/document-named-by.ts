/** The document that an activity's input is about, if it is about one: for logs, and nothing else of the input. */
export function documentNamedBy(input: unknown): { documentType?: string; machineId?: string } {
  if (typeof input !== 'object' || input === null) return {};
  const { documentType, machineId } = input as Record<string, unknown>;
  return {
    ...(typeof documentType === 'string' ? { documentType } : {}),
    ...(typeof machineId === 'string' ? { machineId } : {}),
  };
}
