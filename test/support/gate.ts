/** Bunkers that can be told to wait before each signature. */
export class Gate {
  #opened: Promise<void> | undefined;
  open: () => void = () => undefined;

  close(): void {
    this.#opened = new Promise((resolve) => {
      this.open = () => {
        this.#opened = undefined;
        resolve();
      };
    });
  }

  get onRequest() {
    return ({ method }: { method: string }): Promise<void> | undefined =>
      method === 'sign_event' ? this.#opened : undefined;
  }
}
