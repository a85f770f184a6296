/** Milliseconds of work whose results are fetched together: often enough for whoever watches, seldom enough to be cheap. */
const INTERVAL = 50;

/** A result that is fetched when it is first asked for. */
export class Later<T> {
  readonly #fetch: () => Promise<T>;
  #result: Promise<T> | undefined;

  constructor(fetch: () => Promise<T>) {
    this.#fetch = fetch;
  }

  get result(): Promise<T> {
    return this.#result ??= this.#fetch();
  }
}

/** How fast results came lately: the sums over intervals, each counting half of the one after it, and the last one's size. */
interface Pace {
  readonly ms: number;
  readonly count: number;
  readonly size: number;
}

/** The next training or evaluation of the same owner begins with its pace. */
const paces = new WeakMap<object, Pace>();

/**
 * Results that come later, in order. Where a device wants only one at a time, each is waited for at once. Else they are
 * asked for together, once per interval, while the next interval is under way: at most two are, so that stopping never
 * takes long.
 */
export class Ahead<T> {
  readonly #owner: object;
  readonly #most: number;
  readonly #take: (result: T) => void;
  /** Not asked for yet. */
  #open: { readonly result: Promise<T> }[] = [];
  /** On their way. */
  #asked: Promise<T>[] = [];
  #last = performance.now();

  /**
   * @param owner Whose results they are: how fast they come is remembered with it.
   * @param most Most results in an interval.
   * @param take Is given each result.
   */
  constructor(owner: object, most: number, take: (result: T) => void) {
    this.#owner = owner;
    this.#most = most;
    this.#take = take;
  }

  /** Adds a result; waits for earlier ones while too many are under way. */
  async add(later: { readonly result: Promise<T> }): Promise<void> {
    this.#open.push(later);
    if (this.#open.length < this.#interval()) return;
    const before = this.#asked;
    this.#asked = this.#ask();
    if (this.#most === 1) await this.drain();
    else await this.#hand(before);
  }

  /** Waits for all. */
  async drain(): Promise<void> {
    const all = [...this.#asked, ...this.#ask()];
    this.#asked = [];
    await this.#hand(all);
  }

  /** Results in the interval in hand: one where nothing is known, and never more than twice those of the last. */
  #interval(): number {
    const { ms, count, size } = paces.get(this.#owner) ?? { ms: Infinity, count: 1, size: 1 };
    return Math.min(this.#most, 2 * size, Math.max(1, Math.floor(INTERVAL * count / ms)));
  }

  #ask(): Promise<T>[] {
    const asked = this.#open.map(({ result }) => result);
    this.#open = [];
    // If an earlier one fails, nobody waits for these.
    for (const result of asked) result.catch(() => {});
    return asked;
  }

  async #hand(results: readonly Promise<T>[]): Promise<void> {
    if (!results.length) return;
    for (const result of results) this.#take(await result);
    const now = performance.now(), before = paces.get(this.#owner) ?? { ms: 0, count: 0 };
    const ms = before.ms / 2 + now - this.#last, count = before.count / 2 + results.length;
    paces.set(this.#owner, { ms, count, size: results.length });
    this.#last = now;
  }
}
