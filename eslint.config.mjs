import tseslint from 'typescript-eslint';

/**
 * The rooms (top folders) and the rooms that each of them may import. Every other import is refused, so a new
 * room must be added here first. `client/cli` and `worker` put the parts of the program together.
 */
const arrows = {
  // Waits that end with a signal, a limit of concurrent work, pages of a list: every room may import it.
  async: [],
  contract: [],
  // Decisions without I/O.
  rules: ['contract'],
  workflows: ['contract', 'rules'],
  // Asks Temporal's API and reads its answers, for `client` and `activities`.
  temporal: ['async', 'contract'],
  configuration: ['contract', 'rules', 'documents', 'sources', 'database'],
  documents: ['contract', 'rules'],
  // Reads LNbits' database. It imports `database` for the connection, not for the ledger.
  sources: ['async', 'contract', 'rules', 'documents', 'database'],
  nostr: ['async', 'contract', 'rules'],
  // `rules` has the audit chain: `database` writes each audit row as a link of it.
  database: ['async', 'contract', 'rules'],
  activities: ['async', 'contract', 'rules', 'temporal', 'documents', 'sources', 'nostr', 'database'],
  pairing: ['async', 'contract', 'rules', 'configuration', 'sources', 'nostr', 'database'],
  // Builds the dependencies of activities from a configuration, for `worker` and for `inspection`.
  assembly: [
    'async',
    'contract',
    'rules',
    'configuration',
    'documents',
    'sources',
    'nostr',
    'database',
    'activities',
  ],
  // Only looks, before and after a run. It signs and writes nothing.
  inspection: [
    'async',
    'contract',
    'rules',
    'configuration',
    'documents',
    'sources',
    'nostr',
    'database',
    'pairing',
    'activities',
    'assembly',
  ],
  // `inspection`: a worker makes the checks of `doctor` before it polls.
  worker: [
    'async',
    'contract',
    'configuration',
    'documents',
    'sources',
    'nostr',
    'database',
    'activities',
    'workflows',
    'assembly',
    'inspection',
  ],
  // Writes the audit row of a run that answers no control. `inspection`: it makes the checks of `doctor`
  // first.
  ending: ['contract', 'database', 'activities', 'inspection'],
  client: ['async', 'contract', 'rules', 'temporal', 'configuration'],
  // Servers that the program starts: those of a data folder, and temporary ones for dev and tests.
  embedded: ['async', 'contract', 'rules', 'configuration', 'database'],
  'client/cli': [
    'async',
    'contract',
    'rules',
    'configuration',
    'documents',
    'nostr',
    'database',
    'pairing',
    'assembly',
    'worker',
    'inspection',
    'ending',
    'client',
    'embedded',
    'dev',
  ],
  dev: [
    'async',
    'contract',
    'rules',
    'configuration',
    'documents',
    'nostr',
    'database',
    'pairing',
    'worker',
    'client',
    'embedded',
  ],
  // Measures this program, and a loop that people write without it.
  bench: ['async', 'contract', 'configuration', 'nostr', 'database', 'pairing', 'client', 'embedded', 'dev'],
};

/** The rooms that may import a package. A package that is not here is free. */
const packageOwners = {
  pg: ['database'],
  'better-sqlite3': ['sources'],
  'node:sqlite': ['sources'],
  'nostr-tools': ['nostr', 'dev', 'bench'],
  '@noble': ['nostr'],
  '@scure': ['nostr'],
  ws: ['nostr', 'dev', 'bench'],
  'tiny-secp256k1': ['nostr'],
  '@temporalio/workflow': ['workflows'],
  '@temporalio/worker': ['worker'],
  '@temporalio/activity': ['activities', 'worker'],
  '@temporalio/client': [
    'client',
    'client/cli',
    'temporal',
    'embedded',
    'dev',
    'worker',
    'inspection',
    'bench',
  ],
  commander: ['client/cli'],
  'big.js': ['documents'],
  'jsonc-parser': ['documents'],
  'prom-client': ['worker'],
  '@opentelemetry': ['worker'],
};

/**
 * Within nostr/: relays/ imports neither bunker/ nor signers/. bunker/ imports only the interface of
 * signers/.
 */
const nostrArrows = {
  'nostr/relays': {
    regex: '^\\.\\./(bunker|signers)(/|$)',
    message: 'nostr/relays/ imports neither bunker/ nor signers/',
  },
  'nostr/bunker': {
    regex: '^\\.\\./signers/(?!signer$)',
    message: 'nostr/bunker/ is a Signer (signers/signer.ts) and knows no other',
  },
};

const rooms = Object.keys(arrows);
const topRooms = rooms.filter((room) => !room.includes('/'));

function restrictedImports(room, further = []) {
  const top = room.split('/')[0];
  const patterns = topRooms
    .filter((other) => other !== top && !arrows[room].includes(other))
    .map((other) => ({
      regex: `^(\\.\\./)+${other}(/|$)`,
      message: `${room}/ may not import ${other}/: see the arrows in eslint.config.mjs`,
    }));
  if (room === 'inspection') {
    // It is given what only looks (assembly/read-only.ts), and opens nothing else.
    patterns.push(
      {
        regex: '/database/connection$',
        importNames: ['openDatabase', 'Database', 'Writable', 'Transaction'],
        message: 'inspection/ only looks: openReadOnlyDatabase',
      },
      { regex: '/nostr/signers/keyring$', importNames: ['Keyring'], message: 'inspection/ opens no signer' },
      { regex: '/assembly/build-dependencies$', message: 'inspection/ only looks: assembly/read-only' },
    );
  }
  if (room === 'sources' || room === 'configuration') {
    // The connection and its rights are theirs too, the ledger is not.
    patterns.push({
      regex: '/database/(?!(connection|identifier|postgres-url|rights|rights-list)$)',
      message: `${room}/ may not import the ledger, the audit or the signers of database/`,
    });
  }
  if (room === 'client') {
    patterns.push({ regex: '^\\./cli(/|$)', message: 'the client library may not import the command line' });
  }
  if (room === 'workflows') {
    // Workflow code must be deterministic: it imports no package except the SDK, and nothing of Node.
    patterns.push({
      regex: '^(?!\\.|@temporalio/workflow$)',
      message: 'workflows/ imports only @temporalio/workflow, contract/ and rules/',
    });
  }
  if (room === 'contract') {
    // Words: types, names and catalogues. What works with them is in rules/, or in the room that does it.
    patterns.push({ regex: '^(?!\\.)', message: 'contract/ imports no package and nothing of Node' });
  }
  if (room === 'rules') {
    // Workflow code imports rules/ too, so they have the same limits.
    patterns.push({ regex: '^(?!\\.)', message: 'rules/ imports only contract/' });
  }
  for (const [name, owners] of Object.entries(packageOwners)) {
    if (owners.includes(room) || owners.includes(top)) continue;
    patterns.push({ regex: `^${name}(/|$)`, message: `only ${owners.join(', ')} may import ${name}` });
  }
  return ['error', { patterns: [...patterns, ...further] }];
}

/** Node 20 answers false for texts with letters such as "ü", once V8 has optimised it. */
const CAN_PARSE = { object: 'URL', property: 'canParse', message: 'use parsedUrl of rules/url.ts' };

export default tseslint.config(
  { ignores: ['dist/', 'dist.*/', 'node_modules/', 'coverage/', 'test/replay/histories/'] },
  ...tseslint.configs.recommended,
  {
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  { files: ['**/*.cjs', 'jest.config.js'], rules: { '@typescript-eslint/no-require-imports': 'off' } },
  {
    files: ['**/*.ts'],
    ignores: ['examples/**'],
    languageOptions: { parserOptions: { project: 'tsconfig.json' } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
    },
  },
  ...rooms.map((room) => ({
    files: [`${room}/**/*.ts`],
    ...(room === 'client' ? { ignores: ['client/cli/**'] } : {}),
    // The entry of the package also exports how far a run is, for callers that show it.
    ...(room === 'contract' ? { ignores: ['contract/index.ts'] } : {}),
    rules: { 'no-restricted-imports': restrictedImports(room) },
  })),
  ...Object.entries(nostrArrows).map(([folder, pattern]) => ({
    files: [`${folder}/**/*.ts`],
    rules: { 'no-restricted-imports': restrictedImports('nostr', [pattern]) },
  })),
  { files: ['**/*.ts'], rules: { 'no-restricted-properties': ['error', CAN_PARSE] } },
  {
    // Only configuration/ reads the environment, so one list has every setting. Rooms that start processes
    // pass the environment on.
    files: topRooms
      .filter((room) => !['configuration', 'embedded', 'dev'].includes(room))
      .map((room) => `${room}/**/*.ts`),
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'only configuration/ reads the environment' },
        CAN_PARSE,
      ],
    },
  },
  {
    // Only async/ waits: other code for an abort has left a listener, a timer or a queue place behind before.
    files: topRooms
      .filter((room) => !['async', 'workflows', 'bench'].includes(room))
      .map((room) => `${room}/**/*.ts`),
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: "CallExpression[callee.property.name='addEventListener'][arguments.0.value='abort']",
          message: 'wait by async/wait.ts',
        },
        {
          selector:
            "ImportDeclaration[source.value='node:timers/promises'] ImportSpecifier[imported.name='setTimeout']",
          message: 'sleep by async/wait.ts',
        },
      ],
    },
  },
  {
    // An Error fails the workflow task, not the run, so the workflow hangs. A subclass of it loses its type
    // on its way.
    files: ['workflows/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: "ThrowStatement > NewExpression[callee.name='Error']",
          message: 'throw ApplicationFailure',
        },
      ],
    },
  },
);
