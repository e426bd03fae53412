import { createHmac } from 'node:crypto';

/** What a worker works with, each in one spelling; what is not stated is absent. */
export interface WorkerSettings {
  lnbits?: string;
  preset?: string;
  relays?: string;
  signers?: string;
  documentTypes?: string;
  dataConverter?: string;
}

/** The same, so that it can be compared and not read: a URL may hold a password. */
export type SettingDigests = WorkerSettings;

/** @param key the token of the owner: without it nobody can try guesses against a digest */
export function digestsOf(settings: WorkerSettings, key: string): SettingDigests {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]: [string, string]) => [
      name,
      createHmac('sha256', key).update(`${name}\n${value}`).digest('hex'),
    ]),
  );
}

/** Which of ours are stated by both and are not the same. */
export function differing(
  ours: WorkerSettings,
  theirs: SettingDigests,
  key: string,
): (keyof WorkerSettings)[] {
  const digests = digestsOf(ours, key);
  return (Object.keys(digests) as (keyof WorkerSettings)[]).filter(
    (name) => theirs[name] !== undefined && theirs[name] !== digests[name],
  );
}
