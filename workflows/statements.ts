import { CancellationScope, condition } from '@temporalio/workflow';
import type { ChangedDocuments, LedgerView } from '../contract/activities';
import type { DocumentSelection, Intervention, UpdateName } from '../contract/control';
import { didYouMean } from '../contract/suggest';
import { readLedger, requestCancellation, retryDocuments, runId, skipDocuments } from './activities';
import type { ControlledRun } from './control';
import type { Run } from './run';
import { selectionSummary } from './summaries';
import { withoutNulls } from './updates';

/**
 * What people can ask of a run: nearly all of it is a statement on the ledger, which says what is open from
 * then on.
 */
export class Statements implements ControlledRun {
  #turn: Promise<unknown> = Promise.resolve();
  #inWork = 0;

  constructor(
    private readonly run: Run,
    public paused: Intervention | undefined,
  ) {}

  /** Nothing is to be begun. */
  get stop(): boolean {
    return this.paused !== undefined || this.#inWork > 0;
  }

  refusal(name: UpdateName, { documentType, machineId }: DocumentSelection): string | undefined {
    const { pages, isCancelled } = this.run;
    if (this.run.isEnding) return 'the run is ending: its audit is being written';
    if (name === 'pause' && this.paused !== undefined) return 'the run is paused already';
    if (name === 'resume' && this.paused === undefined) return 'the run is not paused';
    if (name === 'cancel' && isCancelled) return 'the run is cancelled already';
    if (name !== 'retry' && name !== 'skip') return undefined;
    if (isCancelled) return 'the run is cancelled';
    const isHolding = pages.phase === 'holding';
    // A run that could not load its machines tries that again.
    if (!pages.isLoaded && name === 'retry' && isHolding) return undefined;
    if (!pages.isLoaded)
      return isHolding
        ? 'the machines could not be loaded, so there is nothing to give up: retry, or cancel'
        : 'the machines are still being loaded; republish status says what that waits for';
    const types = this.run.opened?.documentTypes ?? [];
    if (documentType != null && !types.includes(documentType))
      return `${documentType} is not part of this run${didYouMean(documentType, types)}; it has ${types.join(', ')}`;
    if (name === 'skip' && documentType == null && machineId == null && !isHolding)
      return 'name documentType or machineId: without, skip is only for a run that holds';
    const hasTrouble = pages.blocked !== undefined || pages.inWork > 0 || this.run.progress().failed > 0;
    // Of a machine the ledger says whether it is one of the run's: a typing mistake must not look like good
    // news.
    if (name === 'retry' && !hasTrouble && machineId == null)
      return 'nothing has failed; what is being retried goes on by itself';
    return undefined;
  }

  pause(asked: Intervention): Promise<number> {
    this.paused ??= asked;
    this.run.giveWay('republish');
    return Promise.resolve(0);
  }

  /** The time for which documents may meet with trouble begins anew. */
  async resume(): Promise<number> {
    this.paused = undefined;
    if (!this.run.pages.isLoaded) return 0;
    await this.#exclusively(async () => {
      // It begins again behind this, and so shows the newest.
      this.run.giveWay('sweep');
      await condition(() => this.run.pages.isStill);
      const summary = 'read ledger, after a pause';
      return readLedger.executeWithOptions({ summary }, [{ runId: runId(), resumed: true }]);
    });
    return 0;
  }

  async retry({ documentType, machineId }: DocumentSelection): Promise<number> {
    if (!this.run.pages.isLoaded) {
      this.run.pages.unblock();
      return 0;
    }
    const selection = withoutNulls({ documentType, machineId });
    const { documents } = await this.#exclusively(async () => {
      const summary = selectionSummary('try again', selection);
      const changed = await retryDocuments.executeWithOptions({ summary }, [{ runId: runId(), selection }]);
      this.run.pages.unblock();
      // Also what waits for its next attempt goes out again at once.
      this.run.giveWay('republish', 'sweep');
      return changed;
    });
    return documents;
  }

  async skip({ documentType, machineId, by, reason }: DocumentSelection): Promise<number> {
    const selection = withoutNulls({ documentType, machineId });
    const { documents } = await this.#exclusively<ChangedDocuments>(async () => {
      // What is signed is finished first, and so is not given up.
      this.run.giveWay('republish', 'sweep');
      await condition(() => this.run.pages.isStill);
      const summary = selectionSummary('give up', selection);
      const who = withoutNulls({ by, reason });
      return skipDocuments.executeWithOptions({ summary }, [{ runId: runId(), selection, ...who }]);
    });
    return documents;
  }

  /** By Temporal itself, which a workflow cannot ask: the run is then cancelled as by any other client. */
  async cancel(): Promise<number> {
    await CancellationScope.nonCancellable(() =>
      requestCancellation.executeWithOptions({ summary: 'cancel this run' }, []),
    );
    return 0;
  }

  /** One statement after the other, and meanwhile nothing is begun. */
  async #exclusively<View extends LedgerView>(statement: () => Promise<View>): Promise<View> {
    this.#inWork += 1;
    const turn = this.#turn.then(statement);
    this.#turn = turn.catch(() => undefined);
    try {
      const view = await turn;
      this.run.adopt(view);
      return view;
    } finally {
      this.#inWork -= 1;
    }
  }
}
