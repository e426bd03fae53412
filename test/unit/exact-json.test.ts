import fc from 'fast-check';
import { RepublishError } from '../../contract/failures';
import { readExactJson } from '../../documents/exact-json';
import { carriesExactly } from '../../documents/exact-number';

function refusal(text: string): string {
  try {
    readExactJson(text);
  } catch (error) {
    if (error instanceof RepublishError && error.type === 'StateInvalid') return error.message;
    throw error;
  }
  throw new Error('the text was accepted');
}

/**
 * The value of a decimal text as an integer times a power of ten, computed another way than by the code under
 * test.
 */
function rational(text: string): { coefficient: bigint; power: number } {
  const [, sign = '', whole = '', fraction = '', power = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  return { coefficient: BigInt(`${sign}${whole}${fraction}`), power: Number(power) - fraction.length };
}

function sameValue(left: string, right: string): boolean {
  const a = rational(left);
  const b = rational(right);
  if (a.coefficient === 0n || b.coefficient === 0n) return a.coefficient === b.coefficient;
  const power = Math.min(a.power, b.power);
  // No double is written with so many digits.
  if (a.power - power > 2000 || b.power - power > 2000) return false;
  return a.coefficient * 10n ** BigInt(a.power - power) === b.coefficient * 10n ** BigInt(b.power - power);
}

/** Number texts of every form that JSON allows, many of them near the borders of doubles. */
const numberText = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.oneof(
      fc.constant('0'),
      fc.maxSafeNat().map(String),
      fc.bigInt({ min: 2n ** 53n - 9n, max: 2n ** 53n + 9n }).map(String),
      fc.bigInt({ min: 1n, max: 10n ** 40n }).map(String),
    ),
    fc.oneof(
      fc.constant(''),
      fc.stringMatching(/^\.[0-9]{1,30}$/),
      fc.stringMatching(/^\.[0-9]{1,4}0{0,6}$/),
    ),
    fc.oneof(
      fc.constant(''),
      fc.stringMatching(/^[eE][+-]?[0-9]{1,2}$/),
      fc.constantFrom('e308', 'e309', 'e-308', 'e-324', 'e-400', 'e999999999', 'E-999999999'),
    ),
  )
  .map((parts) => parts.join(''));

const anyDouble = fc.double({ noDefaultInfinity: true, noNaN: true }).map((number) => JSON.stringify(number));
const blank = fc.stringMatching(/^[ \t\r\n]{0,3}$/);

/** A string token: some characters as they are, some as escapes. */
const stringToken = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 3 }).map((text) => JSON.stringify(text).slice(1, -1)),
      fc.constantFrom(
        '\\u0041',
        '\\/',
        '\\ud83d\\ude00',
        '\\ud800',
        '\\n',
        '__proto__',
        '1',
        ':',
        '{',
        ',',
        ']',
      ),
    ),
    { maxLength: 4 },
  )
  .map((parts) => `"${parts.join('')}"`);

interface Written {
  /** With white space between any two tokens. */
  text: string;
  tokens: string[];
}

const token = (text: string): Written => ({ text, tokens: [text] });

/** White space is dealt to the tokens in turn, as many kinds as there are. */
function spaced(tokens: string[], blanks: string[]): Written {
  const text = tokens.map((each, index) => `${blanks[index % blanks.length] ?? ''}${each}`).join('');
  return { text: `${text}${blanks[0] ?? ''}`, tokens };
}

function separated(parts: Written[]): string[] {
  return parts.flatMap(({ tokens }, index) => (index === 0 ? tokens : [',', ...tokens]));
}

const { json } = fc.letrec<{ json: Written; list: Written; object: Written }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(numberText, anyDouble, stringToken, fc.constantFrom('true', 'false', 'null')).map(token),
    tie('list'),
    tie('object'),
  ),
  list: fc
    .tuple(fc.array(tie('json'), { maxLength: 4 }), fc.array(blank, { minLength: 1, maxLength: 3 }))
    .map(([parts, blanks]) => spaced(['[', ...separated(parts), ']'], blanks)),
  object: fc
    .tuple(
      fc.array(fc.tuple(stringToken, tie('json')), { maxLength: 5 }),
      fc.array(blank, { minLength: 1, maxLength: 3 }),
    )
    .map(([members, blanks]) => {
      const parts = members.map(([key, value]) => ({ text: '', tokens: [key, ':', ...value.tokens] }));
      return spaced(['{', ...separated(parts), '}'], blanks);
    }),
}));

/**
 * The keys of all objects in a text, in the order in which they are written, and whether an object has one of
 * them twice.
 */
function keysOf(tokens: string[]): { keys: string[]; twice: boolean } {
  const keys: string[] = [];
  const open: Set<string>[] = [];
  let twice = false;
  tokens.forEach((each, index) => {
    if (each === '{' || each === '[') open.push(new Set());
    if (each === '}' || each === ']') open.pop();
    if (each.startsWith('"') && tokens[index + 1] === ':') {
      const key = JSON.parse(each) as string;
      twice ||= open.at(-1)?.has(key) ?? false;
      open.at(-1)?.add(key);
      keys.push(key);
    }
  });
  return { keys, twice };
}

const isNumber = (text: string): boolean => /^[-\d]/.test(text);
const isExact = (text: string): boolean =>
  Number.isFinite(Number(text)) && sameValue(text, String(Number(text)));

describe('any JSON text', () => {
  it('comes out with each token as it was, or is refused for one of the reasons', () => {
    const seen = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(json, ({ text, tokens }) => {
        const { twice } = keysOf(tokens);
        const mustRefuse = twice || tokens.some((each) => isNumber(each) && !isExact(each));
        let read;
        try {
          read = readExactJson(text);
        } catch (error) {
          seen.refused += 1;
          expect((error as Error).message).toMatch(/^…?state.*: (is there more than once|a JSON number)/s);
          expect(mustRefuse).toBe(true);
          return;
        }
        seen.accepted += 1;
        expect(mustRefuse).toBe(false);
        expect(read.compact).toBe(tokens.join(''));
        expect(read.value).toEqual(JSON.parse(text));
        expect(JSON.parse(read.compact)).toEqual(read.value);
      }),
      { numRuns: 1000 },
    );
    // A generator that makes only one kind would prove nothing.
    expect(Math.min(seen.accepted, seen.refused)).toBeGreaterThan(100);
  });

  it('gives the text of each member of the outermost object, whatever the keys', () => {
    fc.assert(
      fc.property(fc.uniqueArray(stringToken, { selector: (key) => JSON.parse(key) as string }), (keys) => {
        const text = `{${keys.map((key, index) => ` ${key} : [ ${index} , { "a" : 1.0 } ] `).join(',')}}`;
        expect([...readExactJson(text).members]).toEqual(
          keys.map((key, index) => [JSON.parse(key), `[${index},{"a":1.0}]`]),
        );
      }),
    );
    expect([...readExactJson('{}').members]).toEqual([]);
    expect([...readExactJson('[{"a":1}]').members]).toEqual([]);
  });

  it('is what JSON.parse takes and nothing else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[[\]{},:"\\/*a10.e+\- \n]{1,12}$/)), (text) => {
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false;
        }
        fc.pre(!valid);
        expect(refusal(text)).toBe('state: is not valid JSON');
      }),
    );
  });
});

describe('a number', () => {
  it.each([
    '0',
    '-0',
    '-0.0',
    '0e999999999',
    '0.10',
    '1e5',
    '1E+5',
    '-1.50e-3',
    '9007199254740992',
    '9007199254740994',
    '1e23',
    '5e-324',
    '1.7976931348623157e308',
    '0.1',
    '100000000000000000000',
    '0.00000010',
  ])('%s is carried exactly and kept as it is', (text) => {
    expect(readExactJson(text).compact).toBe(text);
  });

  it.each([
    '9007199254740993',
    '-9007199254740993',
    '9007199254740992.4',
    '12345678901234567890.1234567890',
    '0.1000000000000000055',
    '0.1000000000000000055511151231257827',
    '1e400',
    '-1e400',
    '1e-400',
    '4.9e-324',
    '1e999999999',
    '1e-999999999',
    '1e99999999999999999999999999',
    '0.30000000000000001',
  ])('%s is refused, and not quoted', (text) => {
    expect(refusal(`{"a":[0,${text}]}`)).toMatch(
      /^state\.a\[1\]: a JSON number does not carry this value exactly/,
    );
    expect(refusal(text)).not.toContain(text);
  });

  it('is carried exactly if its decimal value is that of the double, computed with big integers', () => {
    const seen = { exact: 0, inexact: 0 };
    fc.assert(
      fc.property(fc.oneof(numberText, anyDouble), (text) => {
        seen[isExact(text) ? 'exact' : 'inexact'] += 1;
        expect(carriesExactly(text)).toBe(isExact(text));
      }),
      { numRuns: 3000 },
    );
    expect(Math.min(seen.exact, seen.inexact)).toBeGreaterThan(300);
  });

  it('takes time linear in its digits', () => {
    const zeros = '0'.repeat(1_000_000);
    const before = process.cpuUsage();
    expect(carriesExactly(`0.1${zeros}1`)).toBe(false);
    expect(carriesExactly(`0.1${zeros}`)).toBe(true);
    expect(carriesExactly(`0.${zeros}1e1000001`)).toBe(true);
    expect(carriesExactly(`1e${zeros}`)).toBe(true);
    expect(carriesExactly(`1e${'9'.repeat(1_000_000)}`)).toBe(false);
    // Not by the clock: a busy machine stops a process for seconds.
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(2000);
  });
});

describe('a key', () => {
  it.each([
    ['{"a":1,"a":1}', 'state.a'],
    ['{"a":1,"\\u0061":2}', 'state.a'],
    ['[{"b":{"x y":1,"x\\u0020y":2}}]', 'state[0].b["x y"]'],
    ['{"1":1,"2":2,"1":3}', 'state["1"]'],
    ['{"__proto__":1,"__proto__":2}', 'state.__proto__'],
    ['{"a":{"b":1},"c":0,"a":[]}', 'state.a'],
  ])('that is there twice is refused: %s', (text, path) => {
    expect(refusal(text)).toBe(`${path}: is there more than once, and readers differ in which one counts`);
  });

  it('may be there in several objects, and may be one that objects have by nature', () => {
    const text = '{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}],"toString":1,"constructor":2,"hasOwnProperty":3}';
    expect(readExactJson(text).compact).toBe(text);
  });
});

describe('the rest', () => {
  it('refuses half of a character, which UTF-8 cannot carry, and keeps the escape of one', () => {
    expect(refusal('{"a":["\ud800"]}')).toMatch(/^state\.a\[0\]: holds half of a character/);
    expect(readExactJson('"\\ud800"').compact).toBe('"\\ud800"');
    expect(readExactJson('"\u2028😀"').compact).toBe('"\u2028😀"');
  });

  it('refuses more than 50 levels, by its own stack', () => {
    expect(refusal('{"a":'.repeat(200_000) + '1' + '}'.repeat(200_000))).toMatch(/nested more than 50 deep$/);
    expect(readExactJson('['.repeat(50) + ']'.repeat(50)).compact).toHaveLength(100);
  });

  it('takes time linear in the text', () => {
    const members = Array.from(
      { length: 20_000 },
      (_, index) => `"key${index}" :\n [ ${index}.50 , "\\u0061" ]`,
    );
    const before = process.cpuUsage();
    const { compact, members: texts } = readExactJson(`{${members.join(',')}}`);
    expect(texts.size).toBe(20_000);
    expect(compact.startsWith('{"key0":[0.50,"\\u0061"],')).toBe(true);
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(5000);
  });
});
