import type { PageContent } from './page-numbers';

/**
 * What a page is called wherever a person reads of it: `bitspire-fees, 3 machines` where it holds all of
 * them, else `bitspire-fees, machines 101-200 of 10,000`.
 */
export function pageName({ documentType, from, to }: PageContent, machines: number): string {
  if (from === 1 && to === machines)
    return `${documentType}, ${grouped(machines)} machine${machines === 1 ? '' : 's'}`;
  const which = from === to ? `machine ${grouped(from)}` : `machines ${grouped(from)}-${grouped(to)}`;
  return `${documentType}, ${which} of ${grouped(machines)}`;
}

/** `10,000`, in the same way wherever it runs: Intl depends on the build of Node. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}
