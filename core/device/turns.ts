/** Milliseconds of work after which the event loop gets its turn: signals, timers and abort take effect. */
const TURN = 20;

// A timer waits a millisecond at least, and a channel for messages leaves some kilobytes behind; browsers have timers only.
const soon = globalThis.setImmediate ?? globalThis.setTimeout;

/** Gives the event loop its turn now and then, in loops that wait for nothing else. */
export class Turns {
  #last = performance.now();

  /** The event loop's turn, if it is time. */
  async offer(): Promise<void> {
    if (performance.now() - this.#last <= TURN) return;
    await new Promise<void>((resolve) => void soon(resolve));
    this.#last = performance.now();
  }
}
