import { RepublishFailed } from '../../client/errors';
import { openBrowser, type OpenBrowser } from '../../dev/pictures/browser';
import { openRun, type ShownRun } from '../../dev/pictures/temporal-ui';
import {
  searchAttributeTypes,
  startTemporalServer,
  type TemporalServer,
} from '../../embedded/temporal-server/start';
import { fails } from '../support/fails';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';
import { testServers } from '../support/servers';

// Two pages of half a minute each.
jest.setTimeout(120_000);

/** What a person sees in the Temporal UI, read in a browser. */
describe('the Temporal UI', () => {
  let temporal: TemporalServer;
  let saga: Saga;
  let browser: OpenBrowser;
  let operator: SagaOperator;
  let run: ShownRun;

  beforeAll(async () => {
    // The shared server has no UI: nearly no test needs it.
    temporal = await startTemporalServer({
      executable: testServers().temporalCli,
      searchAttributes: searchAttributeTypes(),
    });
    saga = await startSaga({ temporalAddress: temporal.address });
    browser = await openBrowser({ width: 1400, height: 1200 });
    await saga.startWorker({ env: { REPUBLISH_DOCUMENT_TIMEOUT_MS: '60000' } });
    operator = await saga.addOperator({ machines: 2 });
    await saga.database.query(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.5 WHERE id = $1',
      [operator.machines[1]?.id],
    );
    const started = await saga.start(operator.id, { reason: 'the account moved to a bunker' });
    await fails(RepublishFailed, started.result());
    run = { uiUrl: temporal.uiUrl, workflowId: started.workflowId, runId: started.runId };
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await saga?.stop();
    await temporal?.stop();
  });

  test('current details hold the progress table, the failure with its remedy, and what to type', async () => {
    await openRun(browser.page, run, 'user-metadata', [
      `Republish the configuration documents of operator ${operator.id}`,
      'failed documents: reported at the end',
      'done: 3 of 4 documents (75 %), 1 failed',
      /bitspire-cassettes\s+2\s+2\s+0/,
      /bitspire-fees\s+2\s+1\s+1/,
      `bitspire-fees of machine ${operator.machines[1]?.name} (${operator.machines[1]?.id}): StateInvalid: `,
      'Remedy for StateInvalid: Correct the row: the message names the column',
      `republish start ${operator.id}`,
    ]);
  });

  test('each page is called after its document type and machines', async () => {
    await openRun(browser.page, run, 'timeline', [
      'load machines',
      'bitspire-cassettes, 2 machines',
      'bitspire-fees, 2 machines',
      'write the audit',
    ]);
  });

  test('search attributes and memo say whose run it was, how it ended and why it was started', async () => {
    await openRun(browser.page, run, 'search-attributes', [
      `"RepublishOperator": "${operator.id}"`,
      '"RepublishOutcome": "incomplete"',
      `"RepublishPubkey": "${operator.bunker.userPubkey}"`,
    ]);
    await openRun(browser.page, run, 'memo', ['the account moved to a bunker']);
  });
});
