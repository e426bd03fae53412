import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadDataConverter, withEncodedFailures } from '../../configuration/data-converter';
import { ConfigurationError, loadConfiguration } from '../../configuration/load';
import { fails } from '../support/fails';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'republish-converter-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const where = path.join(directory, name);
  writeFileSync(where, text);
  return where;
}

const CODEC = '{ encode: async (payloads) => payloads, decode: async (payloads) => payloads }';

test.each([
  ['named.mjs', `export const payloadCodecs = [${CODEC}];`],
  ['default.mjs', `export default { payloadCodecs: [${CODEC}] };`],
  ['common.cjs', `module.exports = { payloadCodecs: [${CODEC}] };`],
])(
  '%s: codecs are found however they are exported, and failures are encoded with them',
  async (name, text) => {
    const converter = await loadDataConverter(file(name, text));
    expect(converter.payloadCodecs).toHaveLength(1);
    expect(withEncodedFailures(converter)?.failureConverterPath).toMatch(/encoded-failures/);
  },
);

test('converters are found by paths relative to the module, and a failure converter of its own stays', async () => {
  const failures = file('failures.cjs', 'exports.failureConverter = {};');
  const payloads = file('payloads.cjs', 'exports.payloadConverter = {};');
  const text = `export const payloadCodecs = [${CODEC}];
    export const failureConverterPath = './failures.cjs';
    export const payloadConverterPath = './payloads.cjs';`;
  const converter = await loadDataConverter(file('all.mjs', text));
  expect(converter).toMatchObject({ failureConverterPath: failures, payloadConverterPath: payloads });
  expect(withEncodedFailures(converter)).toBe(converter);
  // Without a codec an encoded message would only be harder to read.
  expect(withEncodedFailures({ payloadConverterPath: payloads })).toEqual({ payloadConverterPath: payloads });
  expect(withEncodedFailures(undefined)).toBeUndefined();
});

test.each([
  [
    'throws.mjs',
    "throw new Error('CODEC_KEY must have 64 hex digits');",
    /CODEC_KEY must have 64 hex digits; correct/,
  ],
  ['none.mjs', 'export const codecs = [];', /exports no data converter; export payloadCodecs/],
  [
    'wrong.mjs',
    'export const payloadCodecs = [{ encode() {} }];',
    /payloadCodecs that are none; export a list of/,
  ],
  ['one.mjs', `export const payloadCodecs = ${CODEC};`, /payloadCodecs that are none/],
  [
    'path.mjs',
    "export const failureConverterPath = './away.cjs';",
    /failureConverterPath that is no file: .\/away.cjs; correct the path, relative to the module/,
  ],
])('%s: what is wrong is said with its remedy', async (name, text, says) => {
  const module = file(name, text);
  const error = await fails(ConfigurationError, loadDataConverter(module));
  expect(error.message).toContain(`REPUBLISH_DATA_CONVERTER (dataConverter): "${module}"`);
  expect(error.message).toMatch(says);
});

test('a module that is not there is named; in the configuration file its path is relative to the file', async () => {
  const config = file('republish.config.json', '{ "dataConverter": "./codec.mjs" }');
  const { dataConverter = '' } = loadConfiguration({ env: { REPUBLISH_CONFIG: config } });
  expect(dataConverter).toBe(path.join(directory, 'codec.mjs'));
  const error = await fails(ConfigurationError, loadDataConverter(dataConverter));
  expect(error.message).toContain(`is no file at ${dataConverter}; correct the path`);
});
