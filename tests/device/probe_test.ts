/** Which tiles are taken, on machines that a clock makes up. */

import assert from "node:assert/strict";
import { isSecondFaster } from "../../core/device/probe.ts";
import { Random } from "../../core/random.ts";

/** Milliseconds of the first way and of the second at a time. */
type Machine = (at: number) => readonly [number, number];

/** What the probe says of a machine, and how long it took. */
function probe(machine: Machine): { faster: boolean; ms: number } {
  let clock = 1000;
  const faster = isSecondFaster((way) => {
    const spent = machine(clock - 1000)[way];
    clock += spent;
    return spent;
  }, () => clock);
  return { faster, ms: clock - 1000 };
}

const NARROW = 0.024, UNPACKED = 0.038, PACKED = 0.013, UNOPTIMIZED = 0.1;

Deno.test("the faster way is taken, and soon", () => {
  const { faster, ms } = probe(() => [NARROW, PACKED]);
  assert.ok(faster);
  assert.ok(ms < 22, `${ms} ms`);
});

Deno.test("the slower way is not, and a tie is not", () => {
  const { faster, ms } = probe(() => [NARROW, UNPACKED]);
  assert.ok(!faster);
  assert.ok(ms < 22, `${ms} ms`);
  assert.ok(!probe(() => [NARROW, NARROW]).faster);
  assert.ok(!probe(() => [NARROW, 0.8 * NARROW]).faster);
});

Deno.test("code that the engine is late to optimize decides nothing, whichever it is", () => {
  for (let late = 0; late < 80; late += 0.5) {
    assert.ok(!probe((at) => [at < late ? UNOPTIMIZED : NARROW, UNPACKED]).faster, `first, ${late} ms`);
    assert.ok(!probe((at) => [NARROW, at < late ? UNOPTIMIZED : UNPACKED]).faster, `second, ${late} ms`);
    assert.ok(
      late > 25 || probe((at) => [NARROW, at < late ? UNOPTIMIZED : PACKED]).faster,
      `second, packed, ${late} ms`,
    );
    if (late < 25) {
      assert.ok(probe((at) => at < late ? [UNOPTIMIZED, UNOPTIMIZED] : [NARROW, PACKED]).faster, `${late} ms`);
    }
  }
});

Deno.test("what else the machine does makes neither way win", () => {
  for (let seed = 0; seed < 300; seed++) {
    const random = new Random(seed, "data");
    // Spells of a few milliseconds at a fraction of the speed, and measurements that are interrupted.
    const spells = Array.from({ length: 30 }, () => random.uniform() < 0.4 ? 1 + 3 * random.uniform() : 1);
    const noisy = (ms: number, at: number) => {
      const slow = ms * spells[Math.floor(at / 3) % 30]! * (1 + 0.1 * random.uniform());
      return random.uniform() < 0.2 ? slow + 4 * random.uniform() : slow;
    };
    assert.ok(!probe((at) => [noisy(NARROW, at), noisy(UNPACKED, at)]).faster, `seed ${seed}`);
  }
});

Deno.test("one way that is always interrupted and the other that never is: no decision without an end", () => {
  const random = new Random(1, "data");
  const { faster, ms } = probe(() => [NARROW + 2 * random.uniform(), UNPACKED]);
  assert.ok(!faster);
  assert.ok(ms < 150, `${ms} ms`);
});
