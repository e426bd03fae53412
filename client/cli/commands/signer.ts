import type { Command } from 'commander';
import { EXIT } from '../exit-codes';
import { print, printJson, say, table } from '../output';

export function registerSigner(program: Command): void {
  const signer = program
    .command('signer')
    .description("Keeps operators' signers (encrypted at rest with REPUBLISH_SECRETS_KEY).");

  signer
    .command('add')
    .summary("make a signer the operator's current one")
    .description(
      "Makes a signer the operator's current one, in place of any other.\n--bunker reads a bunker:// URI from standard input or --uri-file and pairs with it; the URI's secret works once, so the client key made here is kept.\n--local reads an nsec (or 64 hex characters) the same way.",
    )
    .argument('<operator>', "the operator's user id")
    .option('--bunker', 'a NIP-46 remote signer')
    .option('--local', 'a key held here, encrypted (NIP-49)')
    .option('--uri-file <file>', 'read the bunker URI (or the nsec) from a file in place of standard input')
    .option('--json', 'as JSON on stdout')
    .addHelpText('before', 'Example: republish signer add 8f3c2b --bunker --uri-file ./bunker-uri.txt\n')
    .action(add);

  signer
    .command('list')
    .description('Lists the signers: whose, of which kind, and which key they sign with.')
    .option('--json', 'as JSON on stdout')
    .addHelpText('before', 'Example: republish signer list\n')
    .action(list);

  signer
    .command('check')
    .description(
      "Asks the signer its public key and compares it with the account's. Exit code 4 when it does not answer or differs.",
    )
    .argument('<operator>', "the operator's user id")
    .option('--json', 'as JSON on stdout')
    .addHelpText('before', 'Example: republish signer check 8f3c2b\n')
    .action(check);

  signer
    .command('remove')
    .description(
      "Deletes the operator's signer and its client key. A bunker has to be paired anew afterwards, with a new URI.",
    )
    .argument('<operator>', "the operator's user id")
    .addHelpText('before', 'Example: republish signer remove 8f3c2b\n')
    .action(remove);
}

async function add(
  operator: string,
  options: { bunker?: true; local?: true; uriFile?: string; json?: true },
): Promise<void> {
  const { UsageError } = await import('../fail.js');
  if ((options.bunker === true) === (options.local === true))
    throw new UsageError('give either --bunker or --local');
  const { withDatabase } = await import('../database.js');
  const { addBunkerSigner, addLocalSigner } = await import('../../../pairing/signers.js');
  const { readSecret } = await import('../read-secret.js');
  const { migrate } = await import('../../../database/migrate.js');
  const added = await withDatabase(
    async (database, configuration) => {
      const what = options.bunker ? 'bunker:// URI' : 'nsec';
      const secret = await readSecret(what, options.uriFile);
      // A first signer is often added before any worker has run.
      await migrate(database);
      const context = { database, configuration, operatorUserId: operator, say };
      return options.bunker ? addBunkerSigner(context, secret) : addLocalSigner(context, secret);
    },
    ['secretsKey'],
  );
  if (options.json) printJson(added);
  else print(`the ${added.kind} signer of operator ${operator} signs as ${added.pubkey}`);
  if (added.replaced) {
    say(`it replaces the ${added.replaced.kind} signer that signed as ${added.replaced.pubkey}`);
  }
  if (!added.matchesAccount) {
    say(
      added.accountPubkey === null
        ? `warning: there is no account ${operator} with a public key yet`
        : `warning: the account's public key is ${added.accountPubkey}; a run will end as SignerPubkeyMismatch until they agree`,
    );
  }
}

async function list({ json }: { json?: true }): Promise<void> {
  const { withDatabase } = await import('../database.js');
  const { listSigners } = await import('../../../database/signers.js');
  const rows = await withDatabase((database) => listSigners(database));
  // ncryptsec stays out, also of JSON: it is only as strong as the secrets key.
  const signers = rows.map(({ ncryptsec: _, ...signer }) => signer);
  if (json) return printJson(signers);
  if (signers.length === 0)
    return print('no signers; add one with: republish signer add <operator> --bunker');
  print(
    table(
      ['operator', 'kind', 'signs as', 'added', 'relays'],
      signers.map((signer) => [
        signer.operatorUserId,
        signer.kind,
        signer.pubkey,
        signer.addedAt,
        signer.kind === 'bunker' ? signer.bunkerRelays.join(' ') : '',
      ]),
    ),
  );
}

async function check(operator: string, { json }: { json?: true }): Promise<void> {
  const { withDatabase } = await import('../database.js');
  const { checkStoredSigner } = await import('../../../pairing/signers.js');
  const checked = await withDatabase(
    (database, configuration) =>
      checkStoredSigner({ database, configuration, operatorUserId: operator, say }),
    ['secretsKey'],
  );
  if (json) printJson(checked);
  else print(`the ${checked.kind} signer of operator ${operator} answers and signs as ${checked.pubkey}`);
  if (checked.matchesAccount) return;
  say(
    `error: the account's public key is ${checked.accountPubkey ?? 'not set'}; pair the account's own signer, or correct the account`,
  );
  process.exitCode = EXIT.signer;
}

async function remove(operator: string): Promise<void> {
  const { withDatabase } = await import('../database.js');
  const { deleteSigner } = await import('../../../database/signers.js');
  const existed = await withDatabase((database) => deleteSigner(database, operator));
  print(existed ? `removed the signer of operator ${operator}` : `operator ${operator} had no signer`);
}
