/** Work that should be under way at a time, in milliseconds: enough to hide how long results take to arrive. */
const UNDER_WAY = 50;

/**
 * Results that come later, in order. Where a device wants only one at a time, each is waited for at once; else as many are
 * under way as keep it busy, so that stopping never takes long.
 */
export class Ahead<T> {
  readonly #most: number;
  readonly #take: (result: T) => void;
  readonly #results: Promise<T>[] = [];
  readonly #start = performance.now();
  #taken = 0;

  /**
   * @param most Most results under way at a time.
   * @param take Is given each result.
   */
  constructor(most: number, take: (result: T) => void) {
    this.#most = most;
    this.#take = take;
  }

  /** Adds a result; waits for the oldest while too many are under way. */
  async add(result: Promise<T>): Promise<void> {
    // If an earlier one fails, nobody waits for this.
    result.catch(() => {});
    this.#results.push(result);
    while (this.#results.length >= this.#wanted()) await this.#next();
  }

  /** Waits for all. */
  async drain(): Promise<void> {
    while (this.#results.length) await this.#next();
  }

  #wanted(): number {
    const pace = (performance.now() - this.#start) / Math.max(1, this.#taken);
    return Math.min(this.#most, Math.max(2, Math.ceil(UNDER_WAY / pace)));
  }

  async #next(): Promise<void> {
    this.#take(await this.#results.shift()!);
    this.#taken++;
  }
}
