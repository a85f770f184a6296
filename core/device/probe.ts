/** Which of two ways to do the same is faster here, on a machine that does other things meanwhile. */

/** Milliseconds in which the engine compiles both: what they take then says nothing. */
const WARM_UP = 10;
/** Milliseconds of a window, and pairs of measurements that it has at least. */
const WINDOW = 2, LEAST_PAIRS = 3;
/** Windows that must agree, and how many there may be until they do. */
const AGREE = 3, MOST_WINDOWS = 12;
/**
 * Shares of the first way's time at which the second is faster, and at which it is not. Between them nothing is known. Nor is
 * it beyond them: vectors of twice the width are no more than twice as fast, and what differs by more is not optimized yet.
 */
const FASTER = [0.45, 0.75] as const, SLOWER = [1.2, 2.5] as const;
/** Share by which a time may differ from the window before. */
const STEADY = 0.15;

/**
 * Whether the second way is clearly faster: in three windows in a row whose best times are steady, and in most of their pairs.
 * In doubt the answer is no.
 *
 * @param time Does it the first way (0) or the second (1), and returns the milliseconds that it took.
 * @param now The clock, in milliseconds.
 */
export function isSecondFaster(time: (way: 0 | 1) => number, now: () => number = () => performance.now()): boolean {
  for (const end = now() + WARM_UP; now() < end;) time(0), time(1);
  let before = [Infinity, Infinity], row = 0, last: boolean | undefined;
  for (let window = 0; window < MOST_WINDOWS; window++) {
    const best = [Infinity, Infinity], end = now() + WINDOW;
    let pairs = 0, wins = 0;
    for (; pairs < LEAST_PAIRS || now() < end; pairs++) {
      const times = [time(0), time(1)] as const;
      for (const way of [0, 1] as const) best[way] = Math.min(best[way]!, times[way]);
      wins += Number(times[1] < times[0]);
    }
    const ratio = best[1]! / best[0]!, steady = best.every((ms, way) => Math.abs(ms / before[way]! - 1) < STEADY);
    const verdict = !steady
      ? undefined
      : within(ratio, FASTER) && wins >= 0.75 * pairs
      ? true
      : within(ratio, SLOWER) && wins <= 0.25 * pairs
      ? false
      : undefined;
    row = verdict === undefined ? 0 : verdict === last ? row + 1 : 1;
    last = verdict;
    before = best;
    if (row >= AGREE) return verdict!;
  }
  return false;
}

function within(x: number, [from, to]: readonly [number, number]): boolean {
  return x > from && x < to;
}
