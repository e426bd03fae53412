import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { FAILURES } from '../../contract/failures';

/*
 * Every trait of a failure stands in the catalogue (contract/catalogue/). A room that keeps a list of failure
 * types of its own, or that reads a type or a message letter by letter, decides by something that the
 * catalogue does not know. This test reads all sources and names such places.
 */

/**
 * Messages that are classified by their words, because others wrote them and give no code. One line for each.
 * (nostr/bunker/messages.ts does it with the answers of bunkers, which are no failures yet.)
 */
const READS_WORDS_OF_OTHERS: Readonly<Record<string, string>> = {
  'nostr/relays/refusals.ts':
    'OK, CLOSED and NOTICE of relays: the prefixes of NIP-01, and words without one',
  'database/refusals.ts': 'pg and pgbouncer, where neither SQLSTATE nor code says it',
  'sources/sqlite.ts': 'SQLite: which schema lacks a table',
  'worker/create-worker.ts': 'the Temporal SDK: that an earlier worker still holds the native connection',
  'client/cli/commands/dev.ts': 'Node: which package cannot be found',
  'documents/document-type.ts': 'the name of a document type, which is no failure type',
  'documents/schema-problems.ts': 'looks for values of a state in a message, so that they are not shown',
};

/** Lists of failure types that are no traits of them. Empty, and meant to stay so. */
const LISTS: Readonly<Record<string, string>> = {};

const READING_METHODS = new Set([
  'startsWith',
  'endsWith',
  'includes',
  'indexOf',
  'match',
  'matchAll',
  'search',
  'test',
  'exec',
  'split',
]);
/** Methods that also shorten a text for a person. They read it where the result is compared. */
const CUTTING_METHODS = new Set(['slice', 'substring', 'substr', 'charAt', 'at']);

const isFailureName = (text: string): boolean => Object.hasOwn(FAILURES, text);

/** `'SignerBusy'`, `SignerBusy:` or `[..]: 'SignerBusy'`: the failure type that a piece of source names. */
function nameOf(node: ts.Node | undefined): string | undefined {
  if (node === undefined) return undefined;
  const text = ts.isStringLiteralLike(node) || ts.isIdentifier(node) ? node.text : undefined;
  return text !== undefined && isFailureName(text) ? text : undefined;
}

function literalIn(node: ts.Node): string | undefined {
  return ts.isStringLiteralLike(node) ? nameOf(node) : undefined;
}

/** Failure types that an array, an object, a union type or a text (SQL) lists. */
function listedIn(node: ts.Node): (string | undefined)[] {
  if (ts.isArrayLiteralExpression(node)) return node.elements.map(ofElement);
  if (ts.isObjectLiteralExpression(node))
    return node.properties.map((property) =>
      ts.isPropertyAssignment(property) ? ofProperty(property) : undefined,
    );
  if (ts.isTypeLiteralNode(node) || ts.isInterfaceDeclaration(node))
    return node.members.map((member) => nameOf(member.name));
  if (ts.isUnionTypeNode(node))
    return node.types.map((type) => (ts.isLiteralTypeNode(type) ? literalIn(type.literal) : undefined));
  if (ts.isTemplateExpression(node) || ts.isStringLiteralLike(node))
    return [...node.getText().matchAll(/(?<![\w$])'([A-Z][A-Za-z]+)'/g)].map(([, word]) =>
      word !== undefined && isFailureName(word) ? word : undefined,
    );
  return [];
}

/** A type, or a row that has one: `['SignerBusy', 1]`, `{ type: 'SignerBusy', wait: 1 }`. */
function ofElement(element: ts.Expression): string | undefined {
  const parts = ts.isArrayLiteralExpression(element)
    ? element.elements
    : ts.isObjectLiteralExpression(element)
      ? element.properties.filter(ts.isPropertyAssignment).map(({ initializer }) => initializer)
      : [element];
  return parts.map(literalIn).find((type) => type !== undefined);
}

function ofProperty({ name, initializer }: ts.PropertyAssignment): string | undefined {
  return nameOf(name) ?? literalIn(initializer);
}

/** What a function compares with failure types: `thrown.type` with two of them is a list in disguise. */
function comparedIn(body: ts.Node): Map<string, Set<string>> {
  const compared = new Map<string, Set<string>>();
  const note = (what: ts.Node, type: string | undefined): void => {
    if (type === undefined) return;
    const key = what.getText();
    compared.set(key, (compared.get(key) ?? new Set()).add(type));
  };
  const walk = (node: ts.Node): void => {
    if (node !== body && ts.isFunctionLike(node)) return;
    if (ts.isBinaryExpression(node) && /^[!=]==$/.test(node.operatorToken.getText())) {
      note(node.left, literalIn(node.right));
      note(node.right, literalIn(node.left));
    }
    if (ts.isSwitchStatement(node))
      for (const clause of node.caseBlock.clauses)
        if (ts.isCaseClause(clause)) note(node.expression, literalIn(clause.expression));
    ts.forEachChild(node, walk);
  };
  walk(body);
  return compared;
}

const WORDS = /^(message|failureMessage|failureType|remedy|meaning|why)$/;

/** Whether an expression is the type or the words of a failure. */
function isOfFailure(node: ts.Expression | undefined): boolean {
  if (node === undefined) return false;
  if (ts.isCallExpression(node)) return node.arguments.some(isOfFailure);
  if (ts.isNonNullExpression(node) || ts.isParenthesizedExpression(node)) return isOfFailure(node.expression);
  if (ts.isPropertyAccessExpression(node)) return WORDS.test(node.name.text);
  return ts.isIdentifier(node) && WORDS.test(node.text);
}

/** `x.type` in which a method of texts is called: a type is compared as a whole, or looked up. */
function isType(node: ts.Expression): boolean {
  return (
    (ts.isPropertyAccessExpression(node) ? node.name.text : ts.isIdentifier(node) && node.text) === 'type'
  );
}

function readsText(node: ts.Node): boolean {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return false;
  const { name, expression } = node.expression;
  const [argument] = node.arguments;
  // White space and control characters are a matter of showing.
  const takesOut =
    name.text.startsWith('replace') && argument?.kind !== ts.SyntaxKind.RegularExpressionLiteral;
  if (CUTTING_METHODS.has(name.text))
    return isType(expression) || (isOfFailure(expression) && isCompared(node));
  if (!READING_METHODS.has(name.text) && !takesOut) return false;
  if (
    name.text === 'split' &&
    argument !== undefined &&
    ts.isStringLiteral(argument) &&
    isBlank(argument.text)
  )
    return false;
  const isPattern = name.text === 'test' || name.text === 'exec';
  const what = isPattern ? argument : expression;
  return what !== undefined && (isOfFailure(what) || isType(what));
}

const isBlank = (text: string): boolean => text.trim() === '';

function isCompared({ parent }: ts.Node): boolean {
  return ts.isBinaryExpression(parent) && /^[!=]==$/.test(parent.operatorToken.getText());
}

type Finding = readonly [kind: 'list' | 'text', where: string];

function findingsIn(file: string, text: string): Finding[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: Finding[] = [];
  const at = (node: ts.Node): string => {
    const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    return `${file}:${line}: ${node.getText().split('\n')[0]?.slice(0, 90)}`;
  };
  const walk = (node: ts.Node): void => {
    if (new Set(listedIn(node).filter((type) => type !== undefined)).size > 1) found.push(['list', at(node)]);
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined)
      for (const [what, types] of comparedIn(node))
        if (types.size > 1)
          found.push(['list', `${at(node)}: ${what} is compared with ${[...types].join(', ')}`]);
    if (readsText(node)) found.push(['text', at(node)]);
    ts.forEachChild(node, walk);
  };
  walk(source);
  return found;
}

const root = path.resolve(__dirname, '../..');
const sources = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts', '*.mjs', '*.cjs'],
  {
    cwd: root,
    encoding: 'utf8',
  },
)
  .trim()
  .split('\n')
  .filter((file) => !/^(test|contract\/catalogue)\//.test(file));

const found = sources.flatMap((file) => {
  try {
    return findingsIn(file, readFileSync(path.join(root, file), 'utf8'));
  } catch {
    return []; // deleted, and not committed yet
  }
});
const fileOf = (where: string): string => where.split(':')[0] ?? '';

test('no list of failure types stands beside the catalogue', () => {
  expect(sources.length).toBeGreaterThan(300);
  const lists = found.filter(([kind]) => kind === 'list').map(([, where]) => where);
  expect(lists.filter((where) => !Object.hasOwn(LISTS, fileOf(where)))).toEqual([]);
});

test('no type and no message of ours is read letter by letter', () => {
  const texts = found.filter(([kind]) => kind === 'text').map(([, where]) => where);
  expect(texts.filter((where) => !Object.hasOwn(READS_WORDS_OF_OTHERS, fileOf(where)))).toEqual([]);
  // A file that reads nothing any more has no place in the list.
  expect(
    Object.keys(READS_WORDS_OF_OTHERS).filter((file) => !texts.some((where) => fileOf(where) === file)),
  ).toEqual([]);
});

/** Lists of types in Python, and types that are read letter by letter. */
function pythonFindings(text: string): string[] {
  const name = `"(?:${Object.keys(FAILURES).join('|')})"`;
  const list = new RegExp(`${name}[^"\\n]*[,:]\\s*(?:[^"\\n]*[,(]\\s*)?${name}`, 'g');
  const letters = /\btype\.(?:startswith|endswith|split|find|removeprefix)\(|\btype\[/g;
  return [...text.matchAll(list), ...text.matchAll(letters)].map(([found]) => found);
}

test('the Python client has one list of types, which is made from the catalogue', () => {
  const file = 'examples/python/republish_operator_configs.py';
  const [before = '', made = '', after = ''] = readFileSync(path.join(root, file), 'utf8').split(
    /# Generated by `npm run docs:errors`|# End of the generated part/,
  );
  expect(pythonFindings(made).length).toBeGreaterThan(10);
  expect(pythonFindings(before + after)).toEqual([]);
  expect(pythonFindings('PREFLIGHT = {\n    "InvalidInput",\n    "OperatorNotFound",\n}')).toHaveLength(1);
  expect(pythonFindings('CODES = [("SignerBusy", 4), ("SignerTimeout", 4)]')).toHaveLength(1);
  expect(pythonFindings('if type.startswith("Signer"):')).toHaveLength(1);
  expect(pythonFindings('if type == "Cancelled" and len(type) > 3:\n    return "Unexpected", text')).toEqual(
    [],
  );
});

test.each([
  ['list', "const FINAL = ['SignerRefused', 'RelayRefused'];"],
  ['list', "const FINAL = new Set(['SignerRefused', 'RelayRefused']);"],
  ['list', "const WORDS = { SignerRefused: 'no', RelayRefused: 'no' };"],
  ['list', "const AWAY = { temporal: 'TemporalUnavailable', database: 'DatabaseUnavailable' };"],
  ['list', "type End = FailureType | 'Cancelled' | 'Terminated';"],
  ['list', "const sql = `SELECT 1 WHERE failure_type IN ('DocumentLost', 'PlanOutdated') AND ${x}`;"],
  ['list', "const f = (type) => type === 'SignerBusy' || type === 'SignerTimeout';"],
  ['list', "function f(e) { if (e.type === 'SignerBusy') return 1; return e.type !== 'SignerTimeout'; }"],
  ['list', "function f(e) { switch (e.type) { case 'SignerBusy': case 'SignerTimeout': return 1; } }"],
  ['list', "const WAITS = new Map([['SignerBusy', 1], ['SignerTimeout', 2]]);"],
  ['list', "const WAITS = [{ type: 'SignerBusy', wait: 1 }, { type: 'SignerTimeout', wait: 2 }];"],
  ['text', "const isSigner = failure.type.startsWith('Signer');"],
  ['text', "const isAway = type.endsWith('Unavailable');"],
  ['text', 'const isOfDatabase = /^(Database|Source)/.test(thrown.type);'],
  ['text', 'const isTold = error.message.includes(remedy);'],
  ['text', 'const state = /\\((\\w{5})\\)/.exec(ensureError(thrown).message);'],
  ['text', "const bare = thrown.message.replace(`${query}: `, '');"],
  ['text', "const isNew = failureMessage.startsWith('new');"],
  ['text', "const isWait = remedy.startsWith('Wait');"],
  ['text', "const isWait = error.remedy.startsWith('Wait');"],
  ['text', "const key = document.why.split(':')[0];"],
  ['text', "const isSigner = type.slice(0, 6) === 'Signer';"],
  ['text', "const isSigner = failure.type.substring(0, 6) === 'Signer';"],
  ['text', "const isSigner = message.slice(0, 6) === 'Signer';"],
])('it finds a %s in: %s', (kind, text) => {
  expect(findingsIn('x.ts', text).map(([each]) => each)).toContain(kind);
});

test.each([
  "throw new RepublishError('SignerRefused', message);",
  "const a = x ? { type: 'SignerRefused', message } : { type: 'RelayRefused', message };",
  "const f = (e) => e.type === 'SignerBusy';",
  "const text = message.replace(/\\s+/g, ' ');",
  'const text = message.slice(0, MAX_LENGTH);',
  "const [first] = message.split('\\n');",
  "const both = [{ type: 'SignerRefused', message }, { type, message }];",
  "const isOurs = type === 'Cancelled' && other === 'Interrupted';",
])('it finds nothing in: %s', (text) => {
  expect(findingsIn('x.ts', text)).toEqual([]);
});
