import { types } from 'node:util';
import { type FailureType, RepublishError, traitsOf, typesWith } from '../contract/failures';
import { fieldOf } from '../documents/import-file';
import { problemOfId } from '../rules/ids';
import { compareIds } from '../rules/machine-name';
import { publicKeyHex } from '../nostr/keys';
import type {
  AccountRow,
  AccountSignerRow,
  CustomSource,
  MachinePage,
  MachineRow,
  Source,
  StateRows,
} from '../sources/source';
import { namedFailure, TooLate, withDeadline } from './custom-code';

const TIMEOUT_MS = 30_000;
const MACHINES_PER_PAGE = 500;
/** What a source may throw: SourceUnavailable and SourceMisconfigured. */
const OF_SOURCE: ReadonlySet<FailureType | undefined> = new Set(
  typesWith('ofLnbits').map((type) => traitsOf(type).ofLnbits),
);

interface Page {
  after?: string | undefined;
  limit: number;
}

/**
 * Makes a foreign source safe for a run. Every call ends in time and gets copies of our values. Every failure
 * has a type of the catalogue. Every answer is checked and copied. Answers that could lose a machine unseen
 * (pages out of order, rows that nobody asked for, rows that are not text) are refused.
 *
 * @param problems gets what is wrong with it; the result is then undefined
 */
export function checkedSource(source: CustomSource, problems: string[]): Source | undefined {
  const missing = (['account', 'machines', 'states'] as const).filter(
    (name) => typeof fieldOf(source, name) !== 'function',
  );
  if (missing.length > 0) {
    problems.push(`source: it has no function ${missing.join(', ')}`);
    return undefined;
  }
  const name = fieldOf(source, 'name');
  if (typeof name !== 'string' || name.trim() === '') {
    problems.push('source: "name" must be text, such as "the fleet API at api.example.com"');
    return undefined;
  }
  return new Checked(source, name).asSource();
}

class Checked {
  constructor(
    private readonly source: CustomSource,
    private readonly name: string,
  ) {}

  /** A plain object, so that it can be lent with another `close`. */
  asSource(): Source {
    const { source, name } = this;
    return {
      describe: async () => ({
        kind: 'custom',
        where: name,
        preset: null,
        machinesFrom: 'machines of the operator',
      }),
      account: (id) => this.#account(id),
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

  /** @param read checks and copies the answer: what is read twice could be two things */
  async #ask<T>(method: string, call: () => unknown, read: (answer: unknown) => T): Promise<T> {
    try {
      return read(await withDeadline(TIMEOUT_MS, async () => call()));
    } catch (thrown) {
      const what = `${this.name}: ${method}`;
      if (thrown instanceof Misconfigured)
        throw new RepublishError('SourceMisconfigured', `${what}: ${thrown.message}`);
      throw thrown instanceof TooLate
        ? new RepublishError('SourceUnavailable', `${what}: ${thrown.message}`)
        : namedFailure(thrown, (type) => OF_SOURCE.has(type), 'SourceUnavailable', what);
    }
  }

  #account(operatorUserId: string): Promise<AccountRow | undefined> {
    return this.#ask(
      'account',
      () => this.source.account(operatorUserId),
      (answer) => {
        if (answer === undefined || answer === null) return undefined;
        const id = idOf(fieldOf(answer, 'id'));
        if (id !== operatorUserId) throw notAskedFor('account', id);
        return { id, pubkey: textOrNull('pubkey', answer, id) };
      },
    );
  }

  async #machines({ machineIds, ...page }: MachinePage): Promise<MachineRow[]> {
    const asked = machineIds && new Set(machineIds);
    return this.#pages(
      { ...page, limit: Math.min(page.limit, asked?.size ?? Infinity) },
      ({ id }) => id,
      (part) =>
        this.#ask(
          'machines',
          () =>
            this.source.machines({ ...page, ...part, ...(machineIds && { machineIds: [...machineIds] }) }),
          (answer) => {
            const rows = listOf(answer).map(machineOf);
            requirePage(
              rows.map(({ id }) => id),
              part,
            );
            for (const { id } of rows) if (asked?.has(id) === false) throw notAskedFor('machine', id);
            return rows;
          },
        ),
    );
  }

  async #operators(page: Page): Promise<string[]> {
    const { source } = this;
    if (fieldOf(source, 'operators') === undefined) return [];
    return this.#pages(
      { ...page },
      (id) => id,
      (part) =>
        this.#ask(
          'operators',
          () => source.operators?.({ ...part }),
          (answer) => {
            const ids = listOf(answer).map(idOf);
            requirePage(ids, part);
            return ids;
          },
        ),
    );
  }

  /**
   * Asks until the page is full or an answer is empty, since a source may return fewer rows than we ask for.
   * The ids must rise, so the loop ends.
   */
  async #pages<Item>(
    { after, limit }: Page,
    idIn: (item: Item) => string,
    ask: (part: Page) => Promise<Item[]>,
  ): Promise<Item[]> {
    const found: Item[] = [];
    while (found.length < limit) {
      const last = found.at(-1);
      const part = await ask({ after: last === undefined ? after : idIn(last), limit: limit - found.length });
      if (part.length === 0) break;
      found.push(...part);
    }
    return found;
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

  #states(
    documentType: string,
    machineIds: readonly string[],
    maxBytes: number,
  ): Promise<Map<string, StateRows>> {
    return this.#ask(
      'states',
      () => this.source.states(documentType, [...machineIds]),
      (answer) => {
        if (!types.isMap(answer)) throw new Misconfigured('the answer is no Map');
        const given = new Map<unknown, unknown>(answer);
        // Under another spelling of its id, a machine would have no state.
        for (const id of given.keys())
          if (!machineIds.includes(idOf(id))) throw notAskedFor('machine', idOf(id));
        return new Map(machineIds.map((id) => [id, this.#rowsOf(given.get(id), id, maxBytes)]));
      },
    );
  }

  #rowsOf(given: unknown, id: string, maxBytes: number): StateRows {
    if (given === undefined || given === null) return [];
    if (given instanceof Error || types.isNativeError(given))
      return namedFailure(
        given,
        (type) => traitsOf(type).ofState === true,
        'StateInvalid',
        `${this.name}: states`,
      );
    const rows = Array.isArray(given) ? Array.from<unknown>(given) : [undefined];
    if (!rows.every((row) => typeof row === 'string'))
      throw new Misconfigured(`the rows of machine ${id} are no list of JSON texts`);
    const bytes = rows.reduce((sum, row) => sum + Buffer.byteLength(row, 'utf8'), 0);
    return bytes > 4 * maxBytes
      ? new RepublishError('StateTooLarge', `the rows have ${bytes} bytes, more than four times ${maxBytes}`)
      : rows;
  }

  #signer(operatorUserId: string): Promise<AccountSignerRow | undefined> {
    return this.#ask(
      'signer',
      () => {
        if (this.source.signer === undefined)
          throw new Misconfigured('it does not tell the account\'s own signer, which "signers" asks for');
        return this.source.signer(operatorUserId);
      },
      (answer) =>
        answer === undefined || answer === null
          ? undefined
          : {
              signerType: textOrNull('signerType', answer, operatorUserId),
              signerConfig: textOrNull('signerConfig', answer, operatorUserId),
              prvkey: textOrNull('prvkey', answer, operatorUserId),
            },
    );
  }
}

/** What is wrong with an answer. It quotes no other value than an id. */
class Misconfigured extends Error {
  override readonly name = 'Misconfigured';
}

function notAskedFor(what: string, id: string): Misconfigured {
  return new Misconfigured(`the answer has the ${what} "${id}", which was not asked for`);
}

function listOf(answer: unknown): unknown[] {
  if (!Array.isArray(answer)) throw new Misconfigured('the answer is no list');
  // From an array with holes, too.
  return Array.from<unknown>(answer);
}

function idOf(id: unknown): string {
  if (typeof id !== 'string') throw new Misconfigured('an id is no text');
  const problem = problemOfId('an id', id);
  if (problem !== undefined) throw new Misconfigured(problem);
  return id;
}

function machineOf(row: unknown): MachineRow {
  const id = idOf(fieldOf(row, 'id'));
  return {
    id,
    name: fieldOf(row, 'name') === undefined ? null : textOrNull('name', row, id),
    machineNpub: textOrNull('machineNpub', row, id),
  };
}

/** A field that is missing may have been mistyped: a machine would count as not paired. */
function textOrNull(field: string, row: unknown, id: string): string | null {
  const value = fieldOf(row, field);
  if (value !== null && typeof value !== 'string')
    throw new Misconfigured(`"${field}" of ${id} must be text or null`);
  return value;
}

/** Ids out of order would be left out, or read without end. */
function requirePage(ids: readonly string[], { after, limit }: Page): void {
  const all = after === undefined ? ids : [after, ...ids];
  if (all.some((id, index) => index > 0 && compareIds(all[index - 1] ?? '', id) >= 0))
    throw new Misconfigured('the ids are not in the order of their UTF-8 bytes, each once');
  if (ids.length > limit) throw new Misconfigured(`${ids.length} are more than the ${limit} asked for`);
}
