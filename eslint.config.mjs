import tseslint from 'typescript-eslint';

/**
 * The arrows of the house: which rooms each room may import. Everything not listed is refused, so a new room
 * has to be drawn here before anything can lean on it. `client/cli` is the one composition root besides
 * `worker`.
 */
const arrows = {
  contract: [],
  // Decisions without input or output.
  rules: ['contract'],
  workflows: ['contract', 'rules'],
  configuration: ['contract', 'sources', 'database'],
  documents: ['contract'],
  // LNbits' database: read only. The ledger's is another one.
  sources: ['contract', 'documents', 'database'],
  nostr: ['contract', 'rules'],
  // The rule of the audit's chain: a row cannot be written but as a link of it.
  database: ['contract', 'rules'],
  activities: ['contract', 'rules', 'documents', 'sources', 'nostr', 'database'],
  pairing: ['contract', 'rules', 'configuration', 'sources', 'nostr', 'database'],
  // Makes of a configuration what activities need, for those who act and those who only look.
  assembly: ['contract', 'configuration', 'documents', 'sources', 'nostr', 'database', 'activities'],
  // Looks at what a run would meet and at what it left: signs nothing, writes nothing.
  inspection: [
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
  // It looks before it polls, by the same checks as `doctor`.
  worker: [
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
  // Ends what nobody can speak to any more: a person writes what the workers cannot, if the checks of
  // `doctor` find no fault.
  ending: ['contract', 'database', 'activities', 'inspection'],
  client: ['contract', 'configuration'],
  // Servers that the program starts itself: those of a data folder, and those that are thrown away.
  embedded: ['contract', 'configuration', 'database'],
  'client/cli': [
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
    'contract',
    'configuration',
    'documents',
    'nostr',
    'database',
    'pairing',
    'worker',
    'client',
    'embedded',
  ],
  // Measures what is built, beside what people write without it.
  bench: ['contract', 'configuration', 'nostr', 'database', 'pairing', 'client', 'embedded', 'dev'],
};

/** Packages that only one room may touch. */
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
  '@temporalio/client': ['client', 'client/cli', 'embedded', 'dev', 'worker', 'inspection', 'bench'],
  commander: ['client/cli'],
  'big.js': ['documents'],
  'jsonc-parser': ['documents'],
  'prom-client': ['worker'],
  '@opentelemetry': ['worker'],
};

const rooms = Object.keys(arrows);
const topRooms = rooms.filter((room) => !room.includes('/'));

function restrictedImports(room) {
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
  if (room === 'client') {
    patterns.push({ regex: '^\\./cli(/|$)', message: 'the client library may not lean on its command line' });
  }
  if (room === 'workflows') {
    // Workflow code must be deterministic: no package but the SDK, and nothing of Node.
    patterns.push({
      regex: '^(?!\\.|@temporalio/workflow$)',
      message: 'workflows/ imports only @temporalio/workflow, contract/ and rules/',
    });
  }
  if (room === 'rules') {
    // The workflow imports them too, and they are tested without anything around them.
    patterns.push({ regex: '^(?!\\.)', message: 'rules/ imports only contract/' });
  }
  for (const [name, owners] of Object.entries(packageOwners)) {
    if (owners.includes(room) || owners.includes(top)) continue;
    patterns.push({ regex: `^${name}(/|$)`, message: `only ${owners.join(', ')} may import ${name}` });
  }
  return ['error', { patterns }];
}

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
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
    },
  },
  ...rooms.map((room) => ({
    files: [`${room}/**/*.ts`],
    ...(room === 'client' ? { ignores: ['client/cli/**'] } : {}),
    rules: { 'no-restricted-imports': restrictedImports(room) },
  })),
  {
    // One place reads the environment, so that one list says what can be configured. Who starts processes
    // hands it on.
    files: topRooms
      .filter((room) => !['configuration', 'embedded', 'dev'].includes(room))
      .map((room) => `${room}/**/*.ts`),
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'only configuration/ reads the environment' },
      ],
    },
  },
  {
    // A plain Error hangs a workflow (it fails the task, not the run), and a subclass loses its type over the
    // wire.
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
