/**
 * Results that a device delivers later: a GPU computes far ahead of what has been read back, so results are fetched
 * together and seldom.
 *
 * @module
 */

/** Milliseconds of work whose results are fetched together: often enough to watch, seldom enough to be cheap. */
const INTERVAL = 50;

/** A result that is fetched once, when it is first asked for. */
export class LazyResult<T> {
  readonly #fetch: () => Promise<T>;
  #result: Promise<T> | undefined;

  /** @param fetch Called at most once. */
  constructor(fetch: () => Promise<T>) {
    this.#fetch = fetch;
  }

  /** The result; asking for it fetches it. */
  get result(): Promise<T> {
    return this.#result ??= this.#fetch();
  }
}

/** How fast results came lately: sums over past intervals, each weighted half as much as the next, and the last one's size. */
interface Pace {
  readonly ms: number;
  readonly count: number;
  readonly size: number;
}

/** By owner: its next training or evaluation starts with the pace of the last. */
const paces = new WeakMap<object, Pace>();

/**
 * Hands over results in order, as they become known. Where a device wants one step at a time, each result is awaited at
 * once. Otherwise they are fetched together, once per interval, while the next interval is computed. At most two intervals
 * are pending, so that stopping never takes long.
 */
export class ResultQueue<T> {
  readonly #owner: object;
  readonly #most: number;
  readonly #take: (result: T) => void;
  /** Not asked for yet. */
  #pending: { readonly result: Promise<T> }[] = [];
  /** Asked for, not yet handed over. */
  #asked: Promise<T>[] = [];
  #last = performance.now();

  /**
   * @param owner Whose results they are; their pace is remembered with it.
   * @param most Most results in an interval: `Device.stepsAhead`.
   * @param take Called with each result, in order.
   */
  constructor(owner: object, most: number, take: (result: T) => void) {
    this.#owner = owner;
    this.#most = most;
    this.#take = take;
  }

  /** Adds a result; waits for earlier ones while too many are pending. */
  async add(later: { readonly result: Promise<T> }): Promise<void> {
    this.#pending.push(later);
    if (this.#pending.length < this.#interval()) return;
    const before = this.#asked;
    this.#asked = this.#ask();
    if (this.#most === 1) await this.drain();
    else await this.#handOver(before);
  }

  /** Waits for all results. */
  async drain(): Promise<void> {
    const all = [...this.#asked, ...this.#ask()];
    this.#asked = [];
    await this.#handOver(all);
  }

  /** Results in the current interval: one if nothing is known yet, and at most twice as many as in the last. */
  #interval(): number {
    const { ms, count, size } = paces.get(this.#owner) ?? { ms: Infinity, count: 1, size: 1 };
    return Math.min(this.#most, 2 * size, Math.max(1, Math.floor(INTERVAL * count / ms)));
  }

  #ask(): Promise<T>[] {
    const asked = this.#pending.map(({ result }) => result);
    this.#pending = [];
    // If an earlier one fails, nobody awaits these.
    for (const result of asked) result.catch(() => {});
    return asked;
  }

  async #handOver(results: readonly Promise<T>[]): Promise<void> {
    if (!results.length) return;
    for (const result of results) this.#take(await result);
    const now = performance.now(), before = paces.get(this.#owner) ?? { ms: 0, count: 0 };
    const ms = before.ms / 2 + now - this.#last, count = before.count / 2 + results.length;
    paces.set(this.#owner, { ms, count, size: results.length });
    this.#last = now;
  }
}
