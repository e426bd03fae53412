import type { Command } from 'commander';
import type { OldDocument, OrphanReport } from '../../../inspection/orphans';
import { machineOf } from '../../../rules/machine-name';
import { EXIT } from '../exit-codes';
import { print, printJson, say } from '../output';
import { noMachines } from '../run-view/outcome';
import { AUTH_HELP, sayRelaysWantAuth } from '../relay-auth';
import { fittedTable, paragraph, short } from '../terminal/table';

const WHY: Record<OldDocument['status'], string> = {
  covered: 'a run publishes it again under the current key',
  'unknown type': 'its document type is not known here',
  'unknown machine': 'no machine of the operator has this key',
  'no state': 'the database has no state for it',
};

export function registerOrphans(program: Command): void {
  program
    .command('orphans')
    .summary('find documents under an old key that no run replaces')
    .description(
      "Finds the documents (kind 30078) that an operator's old key has signed, and that no run replaces under the current key. Their document type is not known, no machine of the operator has their key, or the database has no state for them. It also names what the machines have published to the old key (bitspire-cassettes-state). Reads every relay to the end, checks the signatures, changes nothing and signs nothing. A relay that requires authentication (NIP-42) is unknown, unless --auth is given. A relay that shows documents only to their author does not show the documents of the old key to the new key.\nExit code 1 when a relay did not answer to the end: there may be more documents.",
    )
    .argument('<operator>', "the operator's user id (accounts.id in LNbits)")
    .requiredOption('--old-pubkey <key>', 'the key before the move, hex or npub (required)')
    .option('--auth', AUTH_HELP)
    .option('--json', 'as JSON on stdout, with the documents that are covered as well')
    .addHelpText('before', 'Example: republish orphans 8f3c2b --old-pubkey npub1...\n')
    .action(orphans);
}

async function orphans(
  operator: string,
  options: { oldPubkey: string; auth?: true; json?: true },
): Promise<void> {
  const { findOrphans } = await import('../../../inspection/orphans.js');
  const { loadWorkerConfiguration } = await import('../configuration.js');
  const { publicKeyOption } = await import('../public-key.js');
  const oldPubkey = await publicKeyOption('--old-pubkey', options.oldPubkey);
  const configuration = await loadWorkerConfiguration([
    'databaseUrl',
    'lnbitsDatabaseUrl',
    'relays',
    ...(options.auth ? (['secretsKey'] as const) : []),
  ]);
  const report = await findOrphans(configuration, operator, oldPubkey, options.auth ? { auth: { say } } : {});
  // Before any count: a count without a relay tells nothing about that relay.
  sayIncomplete(report, options.json ? say : print);
  if (options.json) printJson(report);
  else await show(report, options.auth === true);
  if (!report.complete) process.exitCode = EXIT.failed;
}

function sayIncomplete({ relays, complete }: OrphanReport, tell: (text: string) => void): void {
  if (complete) return;
  const silent = relays.filter(({ problem }) => problem !== undefined);
  tell(
    paragraph(
      `warning: ${silent.length} of ${relays.length} relays did not answer to the end: there may be more documents than are counted here:`,
    ),
  );
  for (const { relay, problem } of silent) tell(paragraph(`  ${relay}: ${problem}`));
  tell('');
}

async function show(report: OrphanReport, hasAuthenticated: boolean): Promise<void> {
  const { npub } = await import('../../../nostr/keys.js');
  print(`operator ${report.operatorUserId}\nold key  ${npub(report.oldPubkey)}\n`);
  print(
    fittedTable(
      ['relay', 'documents', 'forged'],
      report.relays.map(({ relay, documents, forged, problem }) => {
        // "None" would be wrong for a relay that did not answer.
        const seen = problem === undefined || documents > 0 ? String(documents) : '?';
        return [relay, seen, String(forged)];
      }),
    ),
  );
  print('');
  sayRelaysWantAuth(report.unknownRelays, {
    subcommand: `orphans --old-pubkey ${report.oldPubkey}`,
    operatorUserId: report.operatorUserId,
    hasAuthenticated,
  });
  if (report.orphans.length > 0) {
    const rows = report.orphans.map(({ d, createdAt, eventId, relays, status, machineId, machineName }) => [
      d,
      machineId === undefined ? '' : machineOf({ machineId, machineName }),
      createdAt.slice(0, 10),
      short(eventId),
      String(relays.length),
      status,
    ]);
    print(fittedTable(['document (d)', 'machine', 'of', 'event', 'relays', 'why'], rows));
    print('');
    for (const status of new Set(report.orphans.map((orphan) => orphan.status)))
      print(`${status}: ${WHY[status]}`);
  }
  if (report.fromMachines.length > 0) {
    const rows = report.fromMachines.map(({ d, createdAt, machineName, machineId }) => [
      d,
      createdAt.slice(0, 10),
      machineOf({ machineId, machineName }),
    ]);
    print(fittedTable(['published by a machine (d)', 'of', 'machine'], rows));
    print(
      paragraph(
        '\nThese are encrypted to the old key. The machines publish them again when they know the new operator key; until then only the old key can read them.\n',
      ),
    );
  }
  if (report.lookedIn !== undefined) print(paragraph(noMachines(report.lookedIn)));
  print(
    `${report.complete ? '' : 'at least '}${report.orphans.length} orphan${report.orphans.length === 1 ? '' : 's'}, ${report.covered.length} covered by document types and state`,
  );
}
