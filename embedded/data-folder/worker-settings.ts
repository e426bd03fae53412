import { createHmac } from 'node:crypto';

/** Settings of a worker, each in a canonical spelling. Absent: the setting has its default. */
export interface WorkerSettings {
  lnbits?: string;
  preset?: string;
  relays?: string;
  signers?: string;
  documentTypes?: string;
  dataConverter?: string;
}

/** The settings as keyed hashes: they can be compared but not read, because a URL may have a password. */
export type SettingDigests = WorkerSettings;

/** @param key the token of the owner. Without it nobody can test guesses against a digest */
export function digestsOf(settings: WorkerSettings, key: string): SettingDigests {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]: [string, string]) => [
      name,
      createHmac('sha256', key).update(`${name}\n${value}`).digest('hex'),
    ]),
  );
}

/** The settings that both sides have and that differ. */
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
