// Writes database/rights.sql, database/rights-lnbits.sql and the table of rights in docs/operations.md from the one list in
// database/rights-list.ts and sources/rights.ts (npm run docs:rights). With --check it only says whether they are what the list says.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const built = (file) => require(path.join(root, 'dist', file));
const { LEDGER, ROLES, ROLE_IS_FOR, grantOf, rightsOnLedger } = built('database/rights-list.js');
const { ACCOUNT_COLUMNS, ACCOUNTS_TABLE, LNBITS_SCHEMA, RELAYS_TABLE, rightsOnLnbits } =
  built('sources/rights.js');
const { PRESETS } = built('sources/presets.js');
const { documentTypes } = built('documents/registry.js');

const roleOf = (role) => `republish_${role}`;
const texts = (names) => names.map((name) => `'${name}'`).join(', ');
const createRoles = (names) => `DO $$ BEGIN
${names
  .map(
    (name) => `  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${name}') THEN
    CREATE ROLE ${name} NOLOGIN;
  END IF;`,
  )
  .join('\n')}
END $$;`;

/** `UPDATE (closed_at)` */
const privilegeOf = ({ privilege, columns }) =>
  columns === undefined ? privilege : `${privilege} (${columns.join(', ')})`;

/** The rights of a role, those on one thing together: `[what, [privileges]]`. */
function byThing(role) {
  const things = new Map();
  for (const right of rightsOnLedger(role)) {
    const key = grantOf(right, '', '').replace(/^GRANT .* ON (.*) TO $/, '$1');
    things.set(key, [...(things.get(key) ?? []), right]);
  }
  return [...things];
}

function grantsOf(role) {
  const grants = byThing(role).map(([thing, rights]) => {
    const statement = `GRANT ${rights.map(privilegeOf).join(', ')} ON ${thing}`;
    return rights[0].on === 'DATABASE'
      ? `-- Only where it has to make the schema: ${statement}<this database> TO ${roleOf(role)};`
      : `${statement} TO ${roleOf(role)};`;
  });
  return `-- ${ROLE_IS_FOR[role].replaceAll('`', '')}.\n${grants.join('\n')}`;
}

const MADE =
  '-- Made by `npm run docs:rights` from database/rights-list.ts and sources/rights.ts; change it there.';

const rightsSql = `${MADE}
--
-- The least that each role needs of the ledger, the schema \`${LEDGER}\`. \`republish doctor --as <role>\` says whether a login has it.
--
--   republish migrate                                  as the owner of the database, once for each release
--   psql "$OWNER_DATABASE_URL" -f database/rights.sql  as the same; again after each release
--   CREATE ROLE republish_1 LOGIN PASSWORD '...' IN ROLE ${roleOf('worker')};
--
-- What is read of LNbits, in this database or another one: database/rights-lnbits.sql, to be run after this.

${createRoles(ROLES.map(roleOf))}

${ROLES.map(grantsOf).join('\n\n')}
`;

const extensionTables = rightsOnLnbits({ documents: {}, documentTypes }, '', ['lnbits_reader'])
  .filter(({ on, schema }) => on === 'TABLE' && schema === '')
  .map(({ name }) => name);
const readers = ROLES.filter((role) => role !== 'migrator').map(roleOf);
const [reader, signerReader] = Object.keys(ACCOUNT_COLUMNS).map(roleOf);
const accounts = `${LNBITS_SCHEMA}.${ACCOUNTS_TABLE}`;

const rightsLnbitsSql = `${MADE}
--
-- The least that reading LNbits' database needs. Nothing of it is ever written.
--
--   psql "$LNBITS_OWNER_URL" -f database/rights-lnbits.sql  as the owner of LNbits' tables; again after each release of either side
--   CREATE ROLE republish_reads LOGIN PASSWORD '...' IN ROLE ${reader};  -- LNBITS_DATABASE_URL
--   GRANT ${signerReader} TO republish_reads;                        -- only with signers: lnbits
--
-- Where the ledger is in the same database, one login has both: roles of database/rights.sql that exist are made readers here, and
-- \`${signerReader}\` is granted to the login alone. Tables that "queries" in republish.config.json or a document type of your own
-- reads are to be added; \`republish doctor\` names them.

${createRoles([reader, signerReader])}

-- Of \`accounts\` nothing but these columns: it holds password hashes, and in some installations private keys.
GRANT USAGE ON SCHEMA ${LNBITS_SCHEMA} TO ${reader}, ${signerReader};
GRANT SELECT (${ACCOUNT_COLUMNS.lnbits_reader.join(', ')}) ON ${accounts} TO ${reader};

-- The account's own signer: whoever has this role can sign as every operator of the installation. Only the columns that are there.
DO $$
DECLARE
  readable text;
BEGIN
  SELECT string_agg(quote_ident(attname), ', ') INTO readable FROM pg_attribute
   WHERE attrelid = '${accounts}'::regclass AND NOT attisdropped
     AND attname IN (${texts(ACCOUNT_COLUMNS.signer_reader)});
  EXECUTE format('GRANT SELECT (%s) ON ${accounts} TO ${signerReader}', readable);
END $$;

-- What the machines' documents are made of, under both names of the extension, and the relays to which LNbits publishes.
DO $$
DECLARE
  tables record;
BEGIN
  FOR tables IN
    SELECT schemaname, tablename FROM pg_tables
     WHERE schemaname IN (${texts(Object.values(PRESETS).map(({ schema }) => schema))})
           AND tablename IN (${texts(extensionTables)})
        OR schemaname = '${RELAYS_TABLE.schema}' AND tablename = '${RELAYS_TABLE.name}'
  LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO ${reader}', tables.schemaname);
    EXECUTE format('GRANT SELECT ON %I.%I TO ${reader}', tables.schemaname, tables.tablename);
  END LOOP;
END $$;

DO $$
DECLARE
  ours name;
BEGIN
  FOR ours IN SELECT rolname FROM pg_roles WHERE rolname IN (${texts(readers)}) LOOP
    EXECUTE format('GRANT ${reader} TO %I', ours);
  END LOOP;
END $$;
`;

const MARKS = ['<!-- rights, made by npm run docs:rights -->', '<!-- end of rights -->'];

function withTable(page) {
  const [before, rest] = page.split(MARKS[0]);
  const after = rest?.split(MARKS[1])[1];
  if (after === undefined) throw new Error(`docs/operations.md lacks the marks ${MARKS.join(' and ')}`);
  return `${before}${MARKS[0]}\n\n${table()}\n\n${MARKS[1]}${after}`;
}

function table() {
  const things = new Map();
  for (const role of ROLES)
    for (const [thing, rights] of byThing(role))
      things.set(thing, { ...things.get(thing), [role]: rights.map(privilegeOf).join(', ') });
  const rows = [...things].map(([thing, roles]) => [
    thing === 'DATABASE ' ? 'the database, while it has no schema `republish`' : `\`${thing}\``,
    ...ROLES.map((role) => (roles[role] === undefined ? '' : `\`${roles[role]}\``)),
  ]);
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const head = ['', ...ROLES.map((role) => `\`${roleOf(role)}\``)];
  return [head, head.map(() => '---'), ...rows].map(line).join('\n');
}

const page = readFileSync(path.join(root, 'docs/operations.md'), 'utf8');
const { printWidth } = JSON.parse(readFileSync(path.join(root, '.prettierrc.json'), 'utf8'));
const files = {
  'database/rights.sql': rightsSql,
  'database/rights-lnbits.sql': rightsLnbitsSql,
  'docs/operations.md': await format(withTable(page), { parser: 'markdown', printWidth }),
};

for (const [file, text] of Object.entries(files)) {
  if (!process.argv.includes('--check')) {
    writeFileSync(path.join(root, file), text);
  } else if (readFileSync(path.join(root, file), 'utf8') !== text) {
    console.error(`${file} is not what the list of rights says: npm run docs:rights`);
    process.exitCode = 1;
  }
}
