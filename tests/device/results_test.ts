import assert from "node:assert/strict";
import { LazyResult, ResultQueue } from "../../core/device/results.ts";

/** Stands in for a device: whatever is asked for of it brings all that was added until then. */
class Source {
  added = 0;
  /** How many results each fetch brought. */
  readonly fetched: number[] = [];
  #open: (() => void)[] = [];

  later(): LazyResult<number> {
    const number = this.added++, { promise, resolve } = Promise.withResolvers<number>();
    this.#open.push(() => resolve(number));
    return new LazyResult(() => {
      if (this.#open.length) this.fetched.push(this.#open.length);
      for (const bring of this.#open.splice(0)) bring();
      return promise;
    });
  }
}

/** Runs `body` with a clock that goes on only where it is told to. */
async function withClock(body: (wait: (ms: number) => void) => Promise<void>): Promise<void> {
  const { now } = performance;
  let time = 1000;
  performance.now = () => time;
  try {
    await body((ms) => void (time += ms));
  } finally {
    performance.now = now;
  }
}

/** Adds results that each take `ms` milliseconds. */
async function add(queue: ResultQueue<number>, source: Source, count: number, wait: () => void): Promise<void> {
  for (let i = 0; i < count; i++) {
    wait();
    await queue.add(source.later());
  }
}

Deno.test("a device that wants one result at a time gets each asked for at once", async () => {
  const source = new Source(), taken: number[] = [];
  const queue = new ResultQueue<number>({}, 1, (result) => void taken.push(result));
  for (let i = 0; i < 3; i++) {
    await queue.add(source.later());
    assert.equal(taken.length, i + 1);
  }
  await queue.drain();
  assert.deepEqual([taken, source.fetched], [[0, 1, 2], [1, 1, 1]]);
});

Deno.test("results are asked for once per interval, and come in order", async () => {
  await withClock(async (wait) => {
    const source = new Source(), taken: number[] = [];
    const queue = new ResultQueue<number>({}, 256, (result) => void taken.push(result));
    // 5 milliseconds each: 10 make an interval. The first ones tell how long they take.
    await add(queue, source, 200, () => wait(5));
    assert.deepEqual(source.fetched.slice(0, 2), [1, 1]);
    assert.ok(source.fetched.slice(-10).every((count) => count === 9 || count === 10), `${source.fetched}`);
    assert.ok(source.added - taken.length <= 20, "two intervals are under way at most");
    await queue.drain();
    assert.deepEqual(taken, Array.from({ length: 200 }, (_, i) => i));
    assert.equal(source.fetched.reduce((a, b) => a + b), 200);
  });
});

Deno.test("results that take no time are bounded in number, and the next training knows the pace", async () => {
  await withClock(async () => {
    const source = new Source(), owner = {};
    const first = new ResultQueue<number>(owner, 100, () => {});
    await add(first, source, 300, () => {});
    await first.drain();
    source.fetched.length = 0;
    const second = new ResultQueue<number>(owner, 100, () => {});
    await add(second, source, 250, () => {});
    await second.drain();
    assert.deepEqual(source.fetched, [100, 100, 50]);
  });
});

Deno.test("slow results are asked for one by one", async () => {
  await withClock(async (wait) => {
    const source = new Source(), queue = new ResultQueue<number>({}, 256, () => {});
    await add(queue, source, 5, () => wait(200));
    assert.deepEqual(source.fetched, [1, 1, 1, 1, 1]);
    await queue.drain();
  });
});

Deno.test("a result that fails is told, once, and later ones are not waited for", async () => {
  const queue = new ResultQueue<number>({}, 256, () => {}),
    failing = new LazyResult(() => Promise.reject(new RangeError("no")));
  await assert.rejects(async () => {
    await queue.add(failing);
    await queue.add(failing);
    await queue.drain();
  }, RangeError);
});

Deno.test("a result is fetched when it is first asked for, and once", async () => {
  let fetches = 0;
  const later = new LazyResult(() => Promise.resolve(++fetches));
  assert.equal(fetches, 0);
  assert.deepEqual([await later.result, await later.result, fetches], [1, 1, 1]);
});
