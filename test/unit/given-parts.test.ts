import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type GivenParts, loadParts, readParts, sourceFor, withParts } from '../../assembly/parts';
import { ConfigurationError, loadConfiguration } from '../../configuration/load';
import { documentTypes } from '../../documents/registry';
import type { SignerProvider } from '../../nostr/signers/custom';
import type { CustomSource } from '../../sources/source';
import { fails } from '../support/fails';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'republish-parts-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const owner = { operatorUserId: 'op', operatorPubkey: 'ab'.repeat(32) };
const PROVIDER = "{ kind: 'kms', find: () => undefined }";
const SOURCE =
  "{ name: 'theirs', account: async () => undefined, machines: async () => [], states: async () => new Map() }";

/** The configuration as a file in the folder has it. */
function configured(keys: Record<string, unknown>) {
  writeFileSync(path.join(folder, 'republish.config.json'), JSON.stringify(keys));
  return loadConfiguration({ env: {}, directory: folder });
}

function module(name: string, text: string): string {
  writeFileSync(path.join(folder, name), text);
  return `./${name}`;
}

test('a module exports it by default, or a function that gives it, from either module system', async () => {
  const configuration = configured({
    signerProviders: [
      module('one.mjs', `export default ${PROVIDER}`),
      module(
        'two.cjs',
        `module.exports = async ({ RepublishError }) => ({ kind: 'hsm', find() { throw new RepublishError('SignerBusy', 'busy'); } })`,
      ),
      module(
        'three.cjs',
        `exports.__esModule = true; exports.default = { kind: 'vault', find: () => undefined }`,
      ),
    ],
    source: module('source.mjs', `export default () => (${SOURCE})`),
  });
  const parts = await loadParts(configuration);
  expect(parts.custom?.map(({ kind }) => kind)).toEqual(['kms', 'hsm', 'vault']);
  await expect(parts.custom?.[1]?.find(owner)).rejects.toMatchObject({ type: 'SignerBusy' });
  expect(await parts.source?.describe()).toMatchObject({ kind: 'custom', where: 'theirs' });
  expect(parts.documentTypes).toEqual(documentTypes);
});

test('every problem of all modules at once', async () => {
  const configuration = configured({
    signerProviders: [
      './missing.mjs',
      module('broken.mjs', 'throw new Error("no https://user:secret@kms/")'),
      module('empty.mjs', ''),
    ],
    source: module('half.mjs', "export default { name: 'half' }"),
  });
  const { problems } = await fails(ConfigurationError, loadParts(configuration));
  expect(problems).toEqual([
    expect.stringMatching(/^signerProviders: ".*missing.mjs" is no file at .*correct the path/),
    expect.stringMatching(
      /^signerProviders: ".*broken.mjs" cannot be loaded: Error, whose message is not repeated here/,
    ),
    expect.stringMatching(
      /^signerProviders: ".*empty.mjs" has no object as its default export; .*examples\/custom-signer/,
    ),
    'source: it has no function account, machines, states',
  ]);
  const read = await readParts(configuration);
  expect(read).toMatchObject({ problems, parts: { custom: [], source: undefined } });
});

test('what is given wins over the configuration, and is closed once, whoever has borrowed it', async () => {
  const closed: string[] = [];
  const provider: SignerProvider = {
    kind: 'given',
    find: () => undefined,
    close: () => void closed.push('signers'),
  };
  const source: CustomSource = {
    name: 'given',
    account: async () => ({ id: 'op', pubkey: null }),
    machines: async () => [],
    states: async () => new Map(),
    close: () => void closed.push('source'),
  };
  const configuration = configured({ signerProviders: ['./missing.mjs'], source: './missing.mjs' });
  const parts = await loadParts(configuration, { signers: [provider], source });
  expect(parts.custom?.map(({ kind }) => kind)).toEqual(['given']);
  // It names no operators: those of a fleet of all are in the ledger.
  expect(parts.operatorsFrom).toBe('ledger');
  const withOperators = { ...source, operators: async () => [] };
  expect(await loadParts(configuration, { signers: [], source: withOperators })).toMatchObject({
    operatorsFrom: 'source',
  });
  const borrowed = sourceFor({ ...configuration, lnbitsDatabaseUrl: '' }, parts);
  expect(await borrowed.account('op')).toEqual({ id: 'op', pubkey: null });
  await borrowed.close();
  expect(closed).toEqual([]);
  await parts.close();
  expect(closed).toEqual(['signers', 'source']);
});

test('what cannot be used is a problem of the configuration, whoever gave it', async () => {
  const given = { signers: [null], documentTypes: [{ type: 'mine' }], source: 'theirs' };
  const { problems } = await fails(ConfigurationError, loadParts(configured({}), given as never));
  expect(problems).toEqual([
    expect.stringContaining('documentTypes[0]: defineDocumentType has not made it'),
    'signers[0]: a provider must be an object',
    'source: it has no function account, machines, states',
  ]);
  for (const list of [null, 'kms', {}]) {
    const lists = { signers: list, documentTypes: list };
    const read = await readParts(configured({}), lists as never);
    expect(read.problems).toEqual(['documentTypes: it must be a list', 'signers: it must be a list']);
  }
});

describe('close', () => {
  afterEach(() => jest.useRealTimers());

  const given = (closed: string[]): GivenParts => ({
    signers: [
      {
        kind: 'throws',
        find: () => undefined,
        close() {
          throw new Error('token=SECRET');
        },
      },
      { kind: 'hangs', find: () => undefined, close: () => new Promise(() => undefined) },
    ],
    // A name that is refused: it is open all the same.
    source: {
      name: ' ',
      account: async () => undefined,
      machines: async () => [],
      states: async () => new Map(),
      close: () => void closed.push('source'),
    },
  });

  test('every part is closed in time, and the failure of the work is the one that is told', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick'] });
    const closed: string[] = [];
    const failure = fails(ConfigurationError, loadParts(configured({}), given(closed)));
    await jest.advanceTimersByTimeAsync(5_000);
    expect((await failure).problems).toEqual([expect.stringContaining('"name" must be text')]);
    expect(closed).toEqual(['source']);

    const named = { ...given(closed), source: undefined };
    const work = expect(
      withParts(configured({}), named, () => Promise.reject(new Error('of the work'))),
    ).rejects.toThrow('of the work');
    await new Promise(setImmediate);
    await jest.advanceTimersByTimeAsync(5_000);
    await work;
  });
});
