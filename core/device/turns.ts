/** Milliseconds of work after which the event loop gets its turn: signals, timers and abort take effect. */
const TURN = 20;

/** Gives the event loop its turn now and then, in loops that wait for nothing else. */
export class Turns {
  #last = performance.now();

  /** The event loop's turn, if it is time. */
  async offer(): Promise<void> {
    if (performance.now() - this.#last <= TURN) return;
    // A message is faster than a timer, which waits a millisecond at least.
    const { port1, port2 } = new MessageChannel();
    await new Promise<void>((resolve) => {
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(null);
    });
    this.#last = performance.now();
  }
}
