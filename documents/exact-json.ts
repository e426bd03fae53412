import { createScanner } from 'jsonc-parser';
import { RepublishError } from '../contract/failures';
import { carriesExactly } from './exact-number';
import { pathText } from './path';

/** How many levels of objects and arrays a state may have. Deeper ones can overflow the stack of a reader. */
export const MAX_DEPTH = 50;

/** JSON text that was read without a loss. */
export interface ExactJson {
  /** The result of JSON.parse. */
  value: unknown;
  /**
   * The text without insignificant white space. Every token is the same, byte for byte, in the same order.
   */
  compact: string;
  /** The compact text of each member, if the value is an object. */
  members: ReadonlyMap<string, string>;
}

/**
 * Reads strict JSON and refuses what a reader would silently change: numbers that a double does not carry
 * exactly, repeated keys of an object, half surrogate pairs. Messages name paths and rules, never values.
 * Takes time linear in the text.
 *
 * @param path of the value, for messages
 * @param maxDepth levels of objects and arrays
 * @throws RepublishError StateInvalid
 */
export function readExactJson(
  text: string,
  path: readonly PropertyKey[] = ['state'],
  maxDepth = MAX_DEPTH,
): ExactJson {
  const value = parseStrictly(text, path);
  const reader = new Reader(path, maxDepth);
  const scanner = createScanner(text, true);
  for (;;) {
    scanner.scan();
    const token = text.slice(scanner.getTokenOffset(), scanner.getTokenOffset() + scanner.getTokenLength());
    if (token === '') break;
    reader.take(token, () => scanner.getTokenValue());
  }
  return { value, compact: reader.tokens.join(''), members: reader.members };
}

function parseStrictly(text: string, path: readonly PropertyKey[]): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the text.
    throw new RepublishError('StateInvalid', `${pathText(path)}: is not valid JSON`);
  }
}

/** An object or array that is being read. */
interface Level {
  /** The keys so far, in an object. A Set, because an object treats `__proto__` differently. */
  keys: Set<string> | undefined;
  /** The key or index that is being read. */
  step: string | number;
  /** The next string is a key. */
  atKey: boolean;
}

/** Reads the tokens of valid JSON. It has its own stack: recursion would fail at deep nesting. */
class Reader {
  readonly tokens: string[] = [];
  readonly members = new Map<string, string>();
  readonly #levels: Level[] = [];
  #memberStart = 0;

  constructor(
    private readonly path: readonly PropertyKey[],
    private readonly maxDepth: number,
  ) {}

  take(token: string, textOf: () => string): void {
    const level = this.#levels.at(-1);
    switch (token[0]) {
      case '{':
      case '[':
        this.#open(token === '{');
        break;
      case '}':
      case ']':
        this.#endMember();
        this.#levels.pop();
        break;
      case ',':
        this.#endMember();
        this.#next(level);
        break;
      case '"':
        this.#requireWhole(token);
        if (level?.atKey) this.#key(level, textOf());
        break;
      case ':':
      case 't':
      case 'f':
      case 'n':
        break;
      default:
        this.#requireExact(token);
    }
    this.tokens.push(token);
    if (token === ':' && this.#levels.length === 1) this.#memberStart = this.tokens.length;
  }

  #open(isObject: boolean): void {
    if (this.#levels.length === this.maxDepth) this.#refuse(`is nested more than ${MAX_DEPTH} deep`);
    this.#levels.push({
      keys: isObject ? new Set() : undefined,
      step: isObject ? '' : 0,
      atKey: isObject,
    });
  }

  #next(level: Level | undefined): void {
    if (level === undefined) return;
    if (typeof level.step === 'number') level.step += 1;
    else level.atKey = true;
  }

  #key(level: Level, key: string): void {
    level.step = key;
    level.atKey = false;
    if (level.keys?.has(key)) this.#refuse('is there more than once, and readers differ in which one counts');
    level.keys?.add(key);
  }

  /** Stores the text of a member of the outermost object. */
  #endMember(): void {
    const [outermost, inner] = this.#levels;
    if (inner !== undefined || outermost?.keys === undefined || outermost.keys.size === this.members.size)
      return;
    this.members.set(String(outermost.step), this.tokens.slice(this.#memberStart).join(''));
  }

  #requireExact(token: string): void {
    if (carriesExactly(token)) return;
    this.#refuse(
      'a JSON number does not carry this value exactly (too many digits, too large or too small): round ' +
        'it, or keep it as text',
    );
  }

  /** UTF-8 cannot encode half a surrogate pair. The escape `\ud800` is plain ASCII and stays as it is. */
  #requireWhole(token: string): void {
    if (/\p{Surrogate}/u.test(token)) this.#refuse('holds half of a character (a lone surrogate)');
  }

  #refuse(rule: string): never {
    const here = this.#levels.map(({ step }) => step);
    throw new RepublishError('StateInvalid', `${pathText([...this.path, ...here])}: ${rule}`);
  }
}
