export function parseLnbitsUrl(
  text: string,
): { kind: 'postgres'; url: string } | { kind: 'sqlite'; folder: string } {
  return { kind: 'postgres', url: text };
}
