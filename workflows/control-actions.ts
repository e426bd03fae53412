import { CancellationScope, condition } from '@temporalio/workflow';
import type { ChangedDocuments, LedgerView } from '../contract/activities';
import type { DocumentSelection, Intervention, UpdateName } from '../contract/control';
import { didYouMean } from '../rules/suggest';
import { readLedger, requestCancellation, retryDocuments, runId, skipDocuments } from './activity-calls';
import type { ControlledRun } from './control';
import type { Run } from './run';
import { selectionSummary } from './summaries';
import { withoutNulls } from './updates';

/** What a run does for each update. `retry` and `skip` change the ledger, and read what is open then. */
export class ControlActions implements ControlledRun {
  #lastControl: Promise<unknown> = Promise.resolve();
  #inWork = 0;

  constructor(
    private readonly run: Run,
    public paused: Intervention | undefined,
  ) {}

  /** True: no step may begin. */
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
    // A run that could not load its machines loads them again.
    if (!pages.isLoaded && name === 'retry' && isHolding) return undefined;
    if (!pages.isLoaded)
      return isHolding
        ? 'the machines could not be loaded, so there is nothing to give up: retry, or cancel'
        : 'the machines are still being loaded; republish status shows what that waits for';
    const types = this.run.opened?.documentTypes ?? [];
    if (documentType != null && !types.includes(documentType))
      return `${documentType} is not part of this run${didYouMean(documentType, types)}; it has ${types.join(', ')}`;
    if (name === 'skip' && documentType == null && machineId == null && !isHolding)
      return 'name documentType or machineId: without, skip is only for a run that holds';
    const hasTrouble = pages.blocked !== undefined || pages.inWork > 0 || this.run.progress().failed > 0;
    // With a machine the ledger is asked: a mistyped id must not look like "nothing has failed".
    if (name === 'retry' && !hasTrouble && machineId == null)
      return 'nothing has failed; documents in trouble are retried automatically';
    return undefined;
  }

  pause(asked: Intervention): Promise<number> {
    this.paused ??= asked;
    this.run.giveWay('republish');
    return Promise.resolve(0);
  }

  /** Restarts in the ledger the time that documents may have trouble. */
  async resume(): Promise<number> {
    this.paused = undefined;
    if (!this.run.pages.isLoaded) return 0;
    await this.#exclusively(async () => {
      // The sweep starts again after this, so it reads the newest ledger.
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
      // A page that waits for its next attempt must go out again immediately.
      this.run.giveWay('republish', 'sweep');
      return changed;
    });
    return documents;
  }

  async skip({ documentType, machineId, by, reason }: DocumentSelection): Promise<number> {
    const selection = withoutNulls({ documentType, machineId });
    const { documents } = await this.#exclusively<ChangedDocuments>(async () => {
      // Pages in work finish what is signed first, so that no signed document is given up.
      this.run.giveWay('republish', 'sweep');
      await condition(() => this.run.pages.isStill);
      const summary = selectionSummary('give up', selection);
      const who = withoutNulls({ by, reason });
      return skipDocuments.executeWithOptions({ summary }, [{ runId: runId(), selection, ...who }]);
    });
    return documents;
  }

  /** A workflow cannot cancel itself: an activity asks Temporal, as any other client would. */
  async cancel(): Promise<number> {
    await CancellationScope.nonCancellable(() =>
      requestCancellation.executeWithOptions({ summary: 'cancel this run' }, []),
    );
    return 0;
  }

  /** One control at a time. No step begins meanwhile. */
  async #exclusively<View extends LedgerView>(action: () => Promise<View>): Promise<View> {
    this.#inWork += 1;
    const control = this.#lastControl.then(action);
    this.#lastControl = control.catch(() => undefined);
    try {
      const view = await control;
      this.run.adopt(view);
      return view;
    } finally {
      this.#inWork -= 1;
    }
  }
}
