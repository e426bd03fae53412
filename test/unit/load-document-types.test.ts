import { mkdtempSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type DocumentType, isDocumentType } from '../../documents/document-type';
import { DocumentTypesError, loadDocumentTypes } from '../../documents/load';
import { documentTypes } from '../../documents/registry';
import { serialiseState } from '../../documents/state';

/** As another copy of the package would brand a type: these modules cannot import this one. */
const DEFINE = `
const BRAND = Symbol.for('republish-operator-configs/document-type');
const define = (rest) => Object.freeze(Object.defineProperty({
  type: 'bitspire-operator-hours',
  source: { table: 'operator_hours' },
  schema: { safeParse: (state) => typeof state.opens === 'string'
    ? { success: true, data: state }
    : { success: false, error: { issues: [{ path: ['opens'], message: 'must be text' }] } } },
  assemble: (rows) => rows[0],
  ...rest,
}, BRAND, { value: true }));
`;

let directory: string;
let files = 0;

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'document-types-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Writes a module and gives its path as a configuration would name it. */
function module(extension: 'mjs' | 'cjs', lines: string): string {
  files += 1;
  const name = `./types-${files}.${extension}`;
  writeFileSync(path.join(directory, name), lines);
  return name;
}

const load = (...modules: string[]): Promise<readonly DocumentType[]> =>
  loadDocumentTypes(modules, directory);
const names = (types: readonly DocumentType[]): string[] => types.map(({ type }) => type);
const SHIPPED = names(documentTypes);

async function problems(...modules: string[]): Promise<string[]> {
  const error: unknown = await load(...modules).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof DocumentTypesError))
    throw new Error('no DocumentTypesError was thrown', { cause: error });
  expect(error.message).toBe(error.problems.join('\n'));
  return error.problems;
}

describe('the types of modules', () => {
  it('are none where no module is named', async () => {
    expect(await load()).toEqual(documentTypes);
  });

  it.each([
    ['mjs', 'export default define({});'],
    ['mjs', 'export const hours = define({});'],
    [
      'mjs',
      'export const all = [define({})]; export const unrelated = [1, "a", { type: "x" }, null, () => 1];',
    ],
    ['mjs', 'const hours = define({}); export { hours, hours as default };'],
    ['mjs', 'export default await Promise.resolve([define({})]);'],
    ['cjs', 'module.exports = define({});'],
    ['cjs', 'module.exports = [define({})];'],
    ['cjs', 'exports.hours = define({});'],
    ['cjs', 'module.exports = { ["ho" + "urs"]: define({}) };'],
    ['cjs', 'Object.defineProperty(exports, "__esModule", { value: true }); exports.default = define({});'],
  ] as const)('are found in a .%s with %s', async (extension, line) => {
    const types = await load(module(extension, `${DEFINE}${line}`));
    expect(names(types)).toEqual([...SHIPPED, 'bitspire-operator-hours']);
    expect(types.every(isDocumentType)).toBe(true);
    expect(Object.isFrozen(types)).toBe(true);
  });

  const FUNCTION = `({ defineDocumentType, z }) => defineDocumentType({
    type: 'bitspire-operator-hours',
    source: { table: 'operator_hours' },
    schema: z.looseObject({ opens: z.string() }),
    assemble: ([row]) => row,
  })`;

  it.each([
    ['mjs', `export default ${FUNCTION};`],
    ['mjs', `export default async (given) => [(${FUNCTION})(given)];`],
    ['cjs', `module.exports = ${FUNCTION};`],
    ['cjs', `Object.defineProperty(exports, "__esModule", { value: true }); exports.default = ${FUNCTION};`],
  ] as const)('come from a default function of a .%s, which needs no import', async (extension, line) => {
    const types = await load(module(extension, line));
    expect(names(types)).toEqual([...SHIPPED, 'bitspire-operator-hours']);
    const [, , hours] = types;
    if (hours === undefined) throw new Error('the type is missing');
    expect(serialiseState(hours, ['{"machine_id":"m1","opens":"08:00"}'], 1000)).toEqual({
      plaintext: '{"opens":"08:00"}',
    });
    expect(() => serialiseState(hours, ['{"machine_id":"m1","opens":8}'], 1000)).toThrow(
      'state.opens: Invalid input: expected string, received number',
    );
  });

  it('work with a schema that is not of our zod', async () => {
    const [, , hours] = await load(module('mjs', `${DEFINE}export default define({});`));
    if (hours === undefined) throw new Error('the type is missing');
    expect(() => serialiseState(hours, ['{"opens":8}'], 1000)).toThrow('state.opens: must be text');
  });

  it('replace a shipped type of the same name, in its place, and come in the order of the modules', async () => {
    const first = module('mjs', `${DEFINE}export const a = define({ type: 'zebra' });`);
    const second = module(
      'cjs',
      `${DEFINE}exports.b = define({ type: 'bitspire-cassettes' }); exports.c = define({ type: 'ant' });`,
    );
    const types = await load(first, second);
    expect(names(types)).toEqual([...SHIPPED, 'zebra', 'ant']);
    expect(types[0]?.source).toEqual({ table: 'operator_hours' });
    expect(types[1]).toBe(documentTypes[1]);
  });

  it('may be named by an absolute path, in a folder with blanks, and twice the same file', async () => {
    const folder = path.join(directory, 'my types #1');
    mkdirSync(folder);
    writeFileSync(path.join(folder, 'hours.mjs'), `${DEFINE}export default define({});`);
    expect(names(await load(path.join(folder, 'hours.mjs'), './my types #1/hours.mjs'))).toEqual([
      ...SHIPPED,
      'bitspire-operator-hours',
    ]);
  });
});

describe('a module that cannot be used', () => {
  it('is named with cause and remedy: no file', async () => {
    expect(await problems('./absent.mjs', '.')).toEqual([
      `documentTypes: "./absent.mjs" is no file at ${path.join(directory, 'absent.mjs')}; correct the path, which is relative to the folder of the configuration file`,
      expect.stringContaining('documentTypes: "." is no file at '),
    ]);
  });

  it.each([
    [
      'it throws',
      'mjs',
      'throw new Error("no timezone");',
      /cannot be loaded: Error, whose message is not repeated here; correct the module/,
    ],
    [
      'it throws text',
      'cjs',
      'throw "no timezone";',
      /cannot be loaded: string, whose .*; correct the module/,
    ],
    ['it is no JavaScript', 'mjs', 'export default {', /cannot be loaded: .*; correct the module/],
    [
      'it imports what is not there',
      'mjs',
      'import "not-installed-anywhere";',
      /; install the imported packages next to it/,
    ],
    [
      'it requires what is not there',
      'cjs',
      'require("not-installed-anywhere");',
      /; install the imported packages next to it/,
    ],
    [
      'its function throws',
      'mjs',
      'export default () => { throw new Error("no timezone"); };',
      /cannot be loaded: Error, whose message is not repeated here/,
    ],
    [
      'it says itself what is wrong',
      'mjs',
      'export default ({ RepublishError }) => { throw new RepublishError("StateInvalid", "no timezone"); };',
      /cannot be loaded: no timezone/,
    ],
    [
      'its function defines a bad type',
      'mjs',
      'export default ({ defineDocumentType }) => defineDocumentType({ type: "Hours" });',
      /cannot be loaded: document type "Hours" must be lower-case words/,
    ],
    [
      'a type of another copy breaks our rules',
      'mjs',
      `${DEFINE}export default define({ source: {} });`,
      /cannot be loaded: document type "bitspire-operator-hours": "source" must be/,
    ],
    ['it exports nothing', 'mjs', 'export {};', /exports no document type; export what defineDocumentType/],
    [
      'it exports something else',
      'cjs',
      'module.exports = { a: 1, b: () => 2 };',
      /exports no document type/,
    ],
    ['its function gives nothing', 'mjs', 'export default () => undefined;', /exports no document type/],
    [
      'a type is not made by defineDocumentType',
      'mjs',
      'export const hours = { type: "hours", assemble: () => 1 };',
      /exports in hours what defineDocumentType has not made; wrap each type/,
    ],
    [
      'one of several is not',
      'mjs',
      `${DEFINE}export default [define({}), { type: "days", assemble: () => 1 }];`,
      /exports in default\[1\] what defineDocumentType has not made/,
    ],
  ] as const)('is named with cause and remedy: %s', async (_, extension, lines, problem) => {
    const file = module(extension, lines);
    const [first, ...rest] = await problems(file);
    expect(rest).toEqual([]);
    expect(first).toMatch(problem);
    expect(first?.startsWith(`documentTypes: "${file}" `)).toBe(true);
  });

  it('is named where two define the same type, also where one does so twice', async () => {
    const first = module('mjs', `${DEFINE}export default define({});`);
    const second = module('cjs', `${DEFINE}module.exports = define({});`);
    const both = module(
      'mjs',
      `${DEFINE}export const a = define({ type: 'a' }); export const b = define({ type: 'a' });`,
    );
    expect(await problems(first, second, both)).toEqual([
      `documentTypes: "${first}" and "${second}" both export it: the type "bitspire-operator-hours"; keep one of them, or give one another name`,
      `documentTypes: "${both}" exports it twice: the type "a"; keep one of them, or give one another name`,
    ]);
  });

  it('does not hide what is wrong with the others', async () => {
    expect(
      await problems('./absent.mjs', module('cjs', 'throw new Error("a")'), module('mjs', '')),
    ).toHaveLength(3);
  });
});
