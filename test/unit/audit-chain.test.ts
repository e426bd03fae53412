import { createHash } from 'node:crypto';
import fc from 'fast-check';
import {
  canonical,
  type Link,
  memberHash,
  membersHash,
  type Misfit,
  misfitOf,
  nextLink,
  rowHash,
} from '../../rules/audit-chain';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** What is told of a run; what it is made of plays no part. */
type Content = Record<string, fc.JsonValue>;
type Row = Link & { content: Content };
/** A row and what the ledger says of its members. */
type Entry = { row: Row; members: Content[] };

const hashOf = ({ hash: _, ...row }: Row): string => rowHash(sha256, 'run', row);
const hashOfMembers = (members: Content[]): string =>
  membersHash(
    sha256,
    'run',
    members.map((member) => memberHash(sha256, 'run', member)),
  );

function written(runs: { content: Content; members: Content[] }[]): Entry[] {
  const chain: Entry[] = [];
  for (const { content, members } of runs) {
    const row = { content, ...nextLink(chain.at(-1)?.row), membersHash: hashOfMembers(members), hash: '' };
    chain.push({ row: { ...row, hash: hashOf(row) }, members });
  }
  return chain;
}

/** The first row that does not fit, by its index among what is there. */
function firstMisfit(chain: Entry[]): { index: number; what: Misfit } | undefined {
  let previous: Row | undefined;
  const sorted = chain.toSorted((a, b) => a.row.position - b.row.position);
  for (const [index, { row, members }] of sorted.entries()) {
    const hashAt = (position: number): string => hashOf({ ...row, position });
    const what = misfitOf(previous, row, { hashAt, membersHash: hashOfMembers(members), rows: chain.length });
    if (what !== undefined) return { index, what };
    previous = row;
  }
  return undefined;
}

const json = fc.jsonValue({ maxDepth: 2 });
const content = fc.dictionary(fc.string(), json, { maxKeys: 4 });
const members = fc.array(content, { maxLength: 4 });
const chains = (minLength = 1) =>
  fc
    .array(fc.record({ content, members }), { minLength, maxLength: 6 })
    .chain((runs) => fc.record({ chain: fc.constant(written(runs)), at: fc.nat(runs.length - 1) }));

const clone = <T>(value: T): T => structuredClone(value);
const sameValue = (a: unknown, b: unknown): boolean => canonical(a) === canonical(b);

describe('the canonical form', () => {
  test('says the value, and says it alike whatever the order of its keys', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonical(value);
        // The sign of a zero is none that a database tells.
        expect(JSON.stringify(JSON.parse(text)).length).toBe(JSON.stringify(value).length);
        expect(canonical(JSON.parse(text))).toBe(text);
        expect(text).not.toMatch(/[\n\r]/);
      }),
    );
    expect(canonical({ b: [1, null, 'ä\n'], a: { d: false, c: 1e21 } })).toBe(
      '{"a":{"c":1e+21,"d":false},"b":[1,null,"ä\\n"]}',
    );
    expect(canonical(JSON.parse('{"__proto__":1,"a":2}'))).toBe('{"__proto__":1,"a":2}');
  });

  test('never says two values in one text', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        fc.pre(JSON.stringify(a) !== JSON.stringify(b));
        if (canonical(a) === canonical(b)) expect(JSON.parse(canonical(a))).toEqual(a);
      }),
    );
    for (const [a, b] of [
      [['a', 'b'], ['a,b']],
      [['1'], [1]],
      [['a', ''], ['a']],
      [{ a: null }, {}],
      [{ 'a":1,"b': 1 }, { a: 1, b: 1 }],
      [Infinity, null],
      [[[], []], [[[]]]],
    ])
      expect(canonical(a)).not.toBe(canonical(b));
  });

  test('is the documented one: this hash was made with another program', () => {
    // printf 'republish-operator-configs run row 1\n{"a":"ä","position":1}' | sha256sum
    expect(rowHash(sha256, 'run', { position: 1, a: 'ä' })).toBe(
      '53ff11711ef331e333794790196ba52150aa80f50373cd7f1912ea8c40270476',
    );
  });
});

describe('a chain', () => {
  test('fits as it was written, in whatever order its members are read', () => {
    fc.assert(
      fc.property(chains(), ({ chain }) => {
        const read = chain.map(({ row, members: all }) => ({ row, members: all.toReversed() }));
        expect(firstMisfit(read)).toBeUndefined();
      }),
    );
  });

  test('shows any other value of any row', () => {
    const change = fc.record({ key: fc.string(), value: json });
    fc.assert(
      fc.property(chains(), change, ({ chain, at }, { key, value }) => {
        const changed = clone(chain);
        const row = changed[at]?.row;
        const keys = Object.keys(row?.content ?? {});
        // One that is there, or a new one.
        const which = keys.length > 0 && key.length % 2 === 0 ? (keys[key.length % keys.length] ?? key) : key;
        if (row) Object.defineProperty(row.content, which, { value, enumerable: true, configurable: true });
        fc.pre(!sameValue(changed, chain));
        expect(firstMisfit(changed)).toEqual({ index: at, what: 'row changed' });
      }),
    );
  });

  test.each(['membersHash', 'previousHash', 'hash'] as const)('shows another %s', (link) => {
    fc.assert(
      fc.property(chains(), fc.string(), ({ chain, at }, text) => {
        const changed = clone(chain);
        const row = changed[at]?.row;
        if (row) row[link] = sha256(text);
        expect(firstMisfit(changed)).toEqual({ index: at, what: 'row changed' });
      }),
    );
  });

  test('shows a member that was changed, dropped or put in', () => {
    fc.assert(
      fc.property(
        chains(),
        content,
        fc.constantFrom('change', 'drop', 'put in'),
        ({ chain, at }, other, how) => {
          const changed = clone(chain);
          const all = changed[at]?.members ?? [];
          if (how === 'put in') all.push(other);
          else if (how === 'drop') all.pop();
          else all[0] = other;
          fc.pre(!sameValue(changed, chain));
          expect(firstMisfit(changed)).toEqual({ index: at, what: 'members changed' });
        },
      ),
    );
  });

  test('shows a row that was dropped, but for the last ones: those only a head shows that was kept', () => {
    fc.assert(
      fc.property(chains(2), ({ chain, at }) => {
        const rest = chain.toSpliced(at, 1);
        const isLast = at === chain.length - 1;
        expect(firstMisfit(rest)).toEqual(isLast ? undefined : { index: at, what: 'rows missing' });
        if (isLast) expect(rest.map(({ row }) => row.hash)).not.toContain(chain.at(-1)?.row.hash);
      }),
    );
  });

  test('shows two rows that have changed places', () => {
    fc.assert(
      fc.property(chains(2), fc.nat(), ({ chain, at }, by) => {
        const other = (at + 1 + (by % (chain.length - 1))) % chain.length;
        const changed = clone(chain);
        const [one, two] = [changed[at]?.row, changed[other]?.row];
        if (one && two) [one.position, two.position] = [two.position, one.position];
        expect(firstMisfit(changed)).toEqual({ index: Math.min(at, other), what: 'order changed' });
      }),
    );
  });

  test('shows a row that was put in, although its own hash is right', () => {
    fc.assert(
      fc.property(chains(), content, ({ chain, at }, forged) => {
        const before = chain[at - 1]?.row;
        const row = { content: forged, ...nextLink(before), membersHash: hashOfMembers([]), hash: '' };
        const made = { row: { ...row, hash: hashOf(row) }, members: [] };
        const moved = clone(chain.slice(at)).map((entry) => ({
          ...entry,
          row: { ...entry.row, position: entry.row.position + 1 },
        }));
        const changed = [...chain.slice(0, at), made, ...moved];
        expect(firstMisfit(changed)).toEqual({ index: at + 1, what: 'order changed' });
        // Beside the one that has the place.
        const doubled = firstMisfit([...chain.slice(0, at + 1), made, ...chain.slice(at + 1)]);
        expect(doubled).toEqual({ index: at + 1, what: 'order changed' });
      }),
    );
  });

  test('rewritten from a row on, with all hashes made anew, fits; no head that was kept is in it any more', () => {
    fc.assert(
      fc.property(chains(), content, ({ chain, at }, other) => {
        fc.pre(!sameValue(other, chain[at]?.row.content));
        const half = clone(chain);
        const row = half[at]?.row;
        if (row) {
          row.content = other;
          row.hash = hashOf(row);
        }
        // Only that row anew: the next one says so.
        expect(firstMisfit(half)).toEqual(
          at + 1 < chain.length ? { index: at + 1, what: 'row before it replaced' } : undefined,
        );
        const whole = written(half.map((entry) => ({ content: entry.row.content, members: entry.members })));
        expect(firstMisfit(whole)).toBeUndefined();
        const heads = new Set(whole.map((entry) => entry.row.hash));
        const kept = chain.map((entry) => heads.has(entry.row.hash));
        expect(kept).toEqual(chain.map((_, index) => index < at));
      }),
    );
  });
});
