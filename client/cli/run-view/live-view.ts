import type { WriteStream } from 'node:tty';
import type { RunStatus } from '../../run-status';
import { runRestsWithoutUs } from '../data-folder';
import { type Line, line } from '../terminal/paint';
import { Screen } from '../terminal/screen';
import { type LiveRegion, setLiveRegion } from '../terminal/live-region';
import { Rate } from './rate';
import { runView } from './view';

/** The view counts down to the next attempts. */
const REDRAW_EVERY_MS = 1_000;

/** Shows a run in place on a terminal. */
export class LiveView implements LiveRegion {
  #screen: Screen;
  #rate = new Rate();
  #status: RunStatus | undefined;
  #drawn = '';
  #timer: NodeJS.Timeout;
  #isClosed = false;
  #redraw = (): void => this.#draw(true);

  constructor(
    private readonly stream: WriteStream,
    private readonly operator: string,
    inColour: boolean,
  ) {
    this.#screen = new Screen(stream, inColour);
    this.#timer = setInterval(() => this.#draw(false), REDRAW_EVERY_MS);
    this.stream.on('resize', this.#redraw);
    setLiveRegion(this);
  }

  see(status: RunStatus): void {
    this.#status = status;
    if (status.progress !== null) this.#rate.see(status.progress, Date.now());
    this.#draw(false);
  }

  writeAbove(write: () => void): void {
    if (this.#drawn !== '') this.#screen.draw([]);
    write();
    if (this.#drawn !== '') this.#draw(true);
  }

  /** Leaves the last frame on the terminal. May be called again. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    setLiveRegion(undefined);
    clearInterval(this.#timer);
    this.stream.off('resize', this.#redraw);
    this.#draw(false, true);
    this.#screen.close();
  }

  #draw(isResized: boolean, isLast = false): void {
    if (this.#status === undefined) return;
    const lines = this.#frame(this.#status, isLast);
    // An unchanged frame is not drawn again: a redraw would clear the selection of a person who copies a
    // line.
    const text = JSON.stringify(lines);
    if (text === this.#drawn && !isResized) return;
    this.#drawn = text;
    this.#screen.draw(lines);
  }

  #frame(status: RunStatus, isLast: boolean): Line[] {
    const { columns, rows } = this.#screen;
    const nowMs = Date.now();
    const perSecond = this.#rate.perSecond(nowMs);
    const isOver = status.closedAt !== null;
    const view = (maxListed: number, less: { withoutTypes?: true; isBrief?: true } = {}): Line[] =>
      runView(status, this.operator, {
        ...{ columns, nowMs, perSecond, maxListed, ...less },
        withoutFailures: isOver,
      });
    if (isOver) return view(0);
    // Below the last frame the command prints how to come back.
    const footer = isLast ? [] : [line(), line(['dim', whatCtrlCDoes(status)])];
    const room = isLast ? rows - 3 : rows;
    // The lists get shorter first: what waits for a person must be visible.
    for (const less of [{}, { withoutTypes: true }, { withoutTypes: true, isBrief: true }] as const) {
      for (let maxListed = 8; maxListed > 0; maxListed -= 1) {
        const lines = [...view(maxListed, less), ...footer];
        if (lines.length <= room) return lines;
      }
    }
    return [...view(0, { withoutTypes: true }), ...footer];
  }
}

function whatCtrlCDoes({ obstacle }: RunStatus): string {
  return runRestsWithoutUs()
    ? 'Ctrl-C stops: documents in work are finished, and the run rests.'
    : `Ctrl-C detaches; the run ${obstacle === null ? 'continues' : 'stays as it is'}.`;
}
