import type { Command } from 'commander';
import type { NostrConnectOptions } from '../../../pairing/signers';
import { commandLine } from '../command-lines';
import { fittedTo, print, printJson, say } from '../output';
import { fittedTable, short, terminalWidth } from '../terminal/table';
import type { CurrentSigner } from '../../../pairing/current-signers';
import type { SignerFacts, SignerKind } from '../../../pairing/facts';
import { checkSigner, ORIGINS } from './signer-check';

export function registerSigner(program: Command): void {
  const signer = program
    .command('signer')
    .summary("pair, check, list and remove operators' signers")
    .description("Keeps operators' signers (encrypted at rest with REPUBLISH_SECRETS_KEY).")
    .addHelpText('before', 'Example: republish signer check 8f3c2b\n');

  signer
    .command('add')
    .summary("make a signer the operator's current one")
    .description(
      "Makes a signer the operator's current one, in place of any other.\n--bunker reads a bunker:// URI from standard input or --uri-file and pairs with it; the URI's secret works once, so the client key made here is kept.\n--local reads an nsec (or 64 hex characters) the same way.\n--nostrconnect shows a nostrconnect:// URI (and a QR code of it on a terminal) and waits until a bunker has taken it.\nAn operator whom LNbits does not know is refused, unless --yes says that the account is made later.",
    )
    .argument('<operator>', "the operator's user id (accounts.id in LNbits)")
    .option('--bunker', 'a NIP-46 remote signer')
    .option('--nostrconnect', 'a NIP-46 remote signer that is shown a URI made here')
    .option('--relay <url...>', 'with --nostrconnect: wait on these relays (default: REPUBLISH_RELAYS)')
    .option('--timeout <seconds>', 'with --nostrconnect: how long to wait', '300')
    .option('--local', 'a key held here, encrypted (NIP-49)')
    .option('--uri-file <file>', 'read the bunker URI (or the nsec) from a file in place of standard input')
    .option('--yes', 'also for an operator whom LNbits does not know (yet)')
    .option('--json', 'as JSON on stdout')
    .addHelpText('before', 'Example: republish signer add 8f3c2b --bunker --uri-file ./bunker-uri.txt\n')
    .action(add);

  signer
    .command('list')
    .summary('list the signers')
    .description(
      "Lists the signers: whose, from where (paired here or, with signers: lnbits, the account's own), of which kind, and which key they sign with.",
    )
    .option('--json', 'as JSON on stdout')
    .addHelpText('before', 'Example: republish signer list\n')
    .action(list);

  signer
    .command('check')
    .summary('ask the signer who it is, and try it')
    .description(
      "Asks the signer its public key and compares it with the account's. It also has the signer encrypt a text, as a run does first, and sign an event that is thrown away (not LNbits' own client).\n--deep tries all that a run would ask: both signatures, the largest state, its speed one by one and side by side, its clock, and whether a person is asked. It says what a run of the operator's documents will take. At most 12 requests; nothing is published.\nExit code 4 when it does not answer, differs, encrypts wrongly or changes what it signs.",
    )
    .argument('<operator>', "the operator's user id (accounts.id in LNbits)")
    .option('--deep', 'try all that a run would ask of it, and measure how quick it is')
    .option('--json', 'as JSON on stdout')
    .addHelpText('before', 'Example: republish signer check 8f3c2b --deep\n')
    .action(checkSigner);

  signer
    .command('remove')
    .summary("forget an operator's signer")
    .description(
      "Deletes the operator's signer and its client key. After that a bunker must be paired again, with a new URI.",
    )
    .argument('<operator>', "the operator's user id (accounts.id in LNbits)")
    .option('--json', 'as JSON on stdout')
    .addHelpText('before', 'Example: republish signer remove 8f3c2b\n')
    .action(remove);
}

interface AddOptions {
  bunker?: true;
  local?: true;
  nostrconnect?: true;
  relay?: string[];
  timeout: string;
  uriFile?: string;
  yes?: true;
  json?: true;
}

async function add(operator: string, options: AddOptions): Promise<void> {
  const { UsageError } = await import('../fail.js');
  if ([options.bunker, options.local, options.nostrconnect].filter(Boolean).length !== 1)
    throw new UsageError('give one of --bunker, --nostrconnect and --local');
  const { withSigners } = await import('../database.js');
  const { addBunkerSigner, addLocalSigner, addNostrConnectSigner } =
    await import('../../../pairing/signers.js');
  const { requireAccount } = await import('../../../pairing/facts.js');
  const { readSecret } = await import('../read-secret.js');
  const { migrate } = await import('../../../database/migrate.js');
  const added = await withSigners(
    async (signers) => {
      const { database, configuration } = signers;
      const mayBeUnknown = options.yes === true;
      const context = { ...signers, operatorUserId: operator, mayBeUnknown, say };
      await requireAccount(context);
      if (options.nostrconnect) {
        const offer = await offerOptions(options, configuration.relays);
        await migrate(database);
        return addNostrConnectSigner(context, offer);
      }
      const what = options.bunker ? 'bunker:// URI' : 'nsec';
      const secret = await readSecret(what, options.uriFile);
      // Often the first signer is added before any worker has migrated the database.
      await migrate(database);
      return options.bunker ? addBunkerSigner(context, secret) : addLocalSigner(context, secret);
    },
    ['lnbitsDatabaseUrl', 'secretsKey'],
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

/** The options of an offer: its relays, how long it is valid, and how it is shown. */
async function offerOptions(
  options: AddOptions,
  configuredRelays: readonly string[],
): Promise<NostrConnectOptions> {
  const { UsageError } = await import('../fail.js');
  const { isGateway, parseRelayUrl } = await import('../../../nostr/relays/url.js');
  const { qrCode } = await import('../qr-code.js');
  const timeoutS = Number(options.timeout);
  if (!Number.isFinite(timeoutS) || timeoutS < 1)
    throw new UsageError('--timeout must be a number of seconds from 1');
  const relays = (options.relay ?? configuredRelays.filter((url) => !isGateway(url))).map((text) => {
    const url = parseRelayUrl(text);
    if (url === undefined) throw new UsageError(`--relay ${text} is not a ws:// or wss:// URL`);
    return url;
  });
  return {
    relays,
    timeoutMs: timeoutS * 1_000,
    show(uri) {
      say(`Open this in the operator's bunker. It works once, and anybody who has it can become the signer.`);
      const code = process.stderr.isTTY ? qrCode(uri, process.stderr.columns) : undefined;
      if (code !== undefined) process.stderr.write(`\n${code}\n`);
      else if (process.stderr.isTTY) say('(a wider terminal would show a QR code of it)');
      // A person waits for the URI, so it goes to stdout. With --json, stdout is for the facts of the signer.
      if (options.json) say(uri);
      else print(uri);
      say(`waiting for the bunker (at most ${timeoutS} s) ...`);
    },
  };
}

/** Columns of a terminal. */
const ROOM_FOR_KEYS = 160;

async function list({ json }: { json?: true }): Promise<void> {
  const { withSigners } = await import('../database.js');
  const { listCurrentSigners } = await import('../../../pairing/current-signers.js');
  const { originOfKind } = await import('../../../pairing/facts.js');
  const signers = await withSigners(async (context) =>
    (await listCurrentSigners(context)).map((current) => shown(current, originOfKind)),
  );
  if (json) return printJson(signers);
  if (signers.length === 0)
    return print(
      fittedTo(process.stdout, `no signers; add one with: ${commandLine('signer add <operator>')} --bunker`),
    );
  // On a narrow terminal only the beginnings of keys and times are shown. --json has all of them.
  const isNarrow = terminalWidth() < ROOM_FOR_KEYS;
  print(
    fittedTable(
      ['operator', 'from', 'kind', 'signs as', 'added', 'relays'],
      signers.map((signer) =>
        'problem' in signer
          ? [signer.operatorUserId, '', '', `${signer.problem.type}: ${signer.problem.message}`, '', '']
          : [
              signer.operatorUserId,
              ORIGINS[signer.from],
              signer.kind,
              isNarrow ? short(signer.pubkey) : signer.pubkey,
              (isNarrow ? signer.addedAt?.slice(0, '2026-11-27'.length) : signer.addedAt) ?? '',
              signer.bunkerRelays?.join(' ') ?? '',
            ],
      ),
    ),
  );
}

/**
 * The facts that are shown of a signer. Never its encrypted key: that is only as strong as the secrets key.
 */
function shown(
  { operatorUserId, signer }: CurrentSigner,
  originOf: (kind: SignerKind) => SignerFacts['from'],
) {
  if ('message' in signer) return { operatorUserId, problem: signer };
  const { kind, pubkey } = signer;
  return {
    operatorUserId,
    from: originOf(kind),
    kind,
    pubkey,
    ...('addedAt' in signer ? { addedAt: signer.addedAt } : {}),
    ...('bunkerPubkey' in signer
      ? { bunkerPubkey: signer.bunkerPubkey, bunkerRelays: signer.bunkerRelays }
      : {}),
  };
}

async function remove(operator: string, { json }: { json?: true }): Promise<void> {
  const { withDatabase } = await import('../database.js');
  const { deleteSigner } = await import('../../../database/signers.js');
  const existed = await withDatabase((database) => deleteSigner(database, operator));
  if (json) printJson({ operatorUserId: operator, removed: existed });
  else print(existed ? `removed the signer of operator ${operator}` : `operator ${operator} had no signer`);
}
