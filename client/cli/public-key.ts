import { UsageError } from './fail';

/** A public key given as hex or npub. @throws UsageError naming the option */
export async function publicKeyOption(name: string, text: string): Promise<string> {
  const { parsePublicKey } = await import('../../nostr/keys.js');
  const key = parsePublicKey(text);
  if (key === undefined)
    throw new UsageError(`${name} is neither 64 hex characters nor an npub of a valid key`);
  return key;
}
