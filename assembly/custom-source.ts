import { RepublishError } from '../contract/failures';
import { compareIds } from '../rules/machine-name';
import { publicKeyHex } from '../nostr/keys';
import type { CustomSource, MachineRow, Source, StateRows } from '../sources/source';
import { namedFailure, TooLate, withDeadline } from './custom-code';

const TIMEOUT_MS = 30_000;
const MACHINES_PER_PAGE = 500;

/**
 * Makes a foreign source safe for a run: every call ends in time, and every failure has a type of the
 * catalogue. Answers that could lose a machine unseen (pages out of order, rows that are not text) are
 * refused.
 *
 * @param problems gets what is wrong with it; the result is then undefined
 */
export function checkedSource(source: CustomSource, problems: string[]): Source | undefined {
  const missing = (['account', 'machines', 'states'] as const).filter(
    (name) => typeof source[name] !== 'function',
  );
  if (missing.length > 0) {
    problems.push(`source: it has no function ${missing.join(', ')}`);
    return undefined;
  }
  if (typeof source.name !== 'string' || source.name.trim() === '') {
    problems.push('source: "name" must be text, such as "the fleet API at api.example.com"');
    return undefined;
  }
  return new Checked(source).asSource();
}

class Checked {
  constructor(private readonly source: CustomSource) {}

  /** A plain object, so that it can be lent with another `close`. */
  asSource(): Source {
    const { source } = this;
    return {
      describe: async () => ({
        kind: 'custom',
        where: source.name,
        preset: null,
        machinesFrom: 'machines of the operator',
      }),
      account: (id) => this.#ask('account', () => source.account(id)),
      machines: (page) => this.#machines(page),
      operators: (page) => this.#operators(page),
      machineKeys: (operatorUserId, spellings) => this.#machineKeys(operatorUserId, spellings),
      states: (type, ids, maxBytes) => this.#states(type, ids, maxBytes),
      signer: (id) => this.#signer(id),
      nostrclientRelays: async () => undefined,
      rights: async () => undefined,
      close: async () => source.close?.(),
    };
  }

  async #ask<T>(method: string, call: () => Promise<T>): Promise<T> {
    try {
      return await withDeadline(TIMEOUT_MS, async () => call());
    } catch (thrown) {
      const what = `${this.source.name}: ${method}`;
      throw thrown instanceof TooLate
        ? new RepublishError('SourceUnavailable', `${what}: ${thrown.message}`)
        : namedFailure(thrown, ['database'], 'SourceUnavailable', what);
    }
  }

  async #machines(page: Parameters<Source['machines']>[0]): Promise<MachineRow[]> {
    const rows = await this.#ask('machines', () => this.source.machines(page));
    this.#requirePage(
      'machines',
      rows.map(({ id }) => id),
      page,
    );
    const { machineIds } = page;
    return machineIds === undefined ? rows : rows.filter(({ id }) => machineIds.includes(id));
  }

  async #operators(page: Parameters<Source['operators']>[0]): Promise<string[]> {
    const { source } = this;
    if (source.operators === undefined) return [];
    const ids = await this.#ask('operators', async () => source.operators?.(page) ?? []);
    this.#requirePage('operators', ids, page);
    return ids;
  }

  /** Machines out of order would be left out, or read without end. */
  #requirePage(
    method: string,
    ids: readonly string[],
    { after, limit }: { after?: string | undefined; limit: number },
  ): void {
    if (!ids.every((id) => typeof id === 'string' && id !== ''))
      throw this.#misconfigured(method, 'an id is no text');
    const all = after === undefined ? ids : [after, ...ids];
    if (all.some((id, index) => index > 0 && compareIds(all[index - 1] ?? '', id) >= 0))
      throw this.#misconfigured(method, 'the ids are not in the order of their UTF-8 bytes, each once');
    if (ids.length > limit)
      throw this.#misconfigured(method, `${ids.length} are more than the ${limit} asked for`);
  }

  async #machineKeys(operatorUserId: string, spellings: readonly string[]): Promise<string[]> {
    const wanted = new Set(spellings.map((spelling) => publicKeyHex(spelling)));
    const keys: string[] = [];
    for (let after: string | undefined; ;) {
      const machines = await this.#machines({ operatorUserId, after, limit: MACHINES_PER_PAGE });
      const written = machines.flatMap(({ machineNpub }) => machineNpub ?? []);
      keys.push(...written.filter((key) => wanted.has(publicKeyHex(key) ?? '')));
      if (machines.length < MACHINES_PER_PAGE) return keys;
      after = machines.at(-1)?.id;
    }
  }

  async #states(
    documentType: string,
    machineIds: readonly string[],
    maxBytes: number,
  ): Promise<Map<string, StateRows>> {
    const given = await this.#ask('states', () => this.source.states(documentType, machineIds));
    if (!(given instanceof Map)) throw this.#misconfigured('states', 'the answer is no Map');
    return new Map(machineIds.map((id) => [id, this.#rowsOf(given.get(id), maxBytes)]));
  }

  #rowsOf(given: unknown, maxBytes: number): StateRows {
    if (given === undefined) return [];
    if (given instanceof Error) {
      return namedFailure(given, ['document', 'database'], 'StateInvalid', `${this.source.name}: states`);
    }
    if (!Array.isArray(given) || !given.every((row) => typeof row === 'string'))
      throw this.#misconfigured('states', 'the rows of a machine are no list of JSON texts');
    const rows = given as string[];
    const bytes = rows.reduce((sum, row) => sum + Buffer.byteLength(row, 'utf8'), 0);
    return bytes > 4 * maxBytes
      ? new RepublishError('StateTooLarge', `the rows have ${bytes} bytes, more than four times ${maxBytes}`)
      : rows;
  }

  async #signer(operatorUserId: string): ReturnType<Source['signer']> {
    const { source } = this;
    if (source.signer === undefined)
      throw this.#misconfigured(
        'signer',
        'it does not tell the account\'s own signer, which "signers" asks for',
      );
    return this.#ask('signer', async () => source.signer?.(operatorUserId));
  }

  #misconfigured(method: string, what: string): RepublishError {
    return new RepublishError('SourceMisconfigured', `${this.source.name}: ${method}: ${what}`);
  }
}
