/** Milliseconds of work after which the event loop runs once: timers fire, and an abort is noticed. */
const TURN = 20;

/** Milliseconds of work after which it runs with a sleep: only then does it notice signals of the system. */
const SLEEP = 200;

// A timer waits for at least a millisecond, and a message channel leaves a few kilobytes behind; browsers only have timers.
const soon = globalThis.setImmediate ?? globalThis.setTimeout;

/** Lets the event loop run now and then, in a loop that awaits nothing else. */
export class Yielder {
  #last = performance.now();
  #slept = this.#last;

  /** Lets the event loop run once, if the last time is long enough ago. */
  async yieldIfDue(): Promise<void> {
    const now = performance.now();
    if (now - this.#last <= TURN) return;
    const sleeps = now - this.#slept > SLEEP;
    await new Promise<void>((resolve) => void (sleeps ? setTimeout(resolve, 1) : soon(resolve)));
    this.#last = performance.now();
    if (sleeps) this.#slept = this.#last;
  }
}
