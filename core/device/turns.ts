/** Milliseconds of work after which the event loop gets its turn: timers and abort take effect. */
const TURN = 20;

/** Milliseconds of work after which it gets one in which it sleeps: only then does it hear of the system's signals. */
const REST = 200;

// A timer waits a millisecond at least, and a channel for messages leaves some kilobytes behind; browsers have timers only.
const soon = globalThis.setImmediate ?? globalThis.setTimeout;

/** Gives the event loop its turn now and then, in loops that wait for nothing else. */
export class Turns {
  #last = performance.now();
  #rested = this.#last;

  /** The event loop's turn, if it is time. */
  async offer(): Promise<void> {
    const now = performance.now();
    if (now - this.#last <= TURN) return;
    const rests = now - this.#rested > REST;
    await new Promise<void>((resolve) => void (rests ? setTimeout(resolve, 1) : soon(resolve)));
    this.#last = performance.now();
    if (rests) this.#rested = this.#last;
  }
}
