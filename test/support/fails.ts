/** The error with which a promise rejects, when it is of this class. */
export async function fails<E extends Error>(
  errorClass: abstract new (...args: never[]) => E,
  promise: Promise<unknown>,
): Promise<E> {
  let result: unknown;
  try {
    result = await promise;
  } catch (error) {
    if (error instanceof errorClass) return error;
    throw error;
  }
  throw new Error(`expected ${errorClass.name}, got ${JSON.stringify(result)}`);
}
