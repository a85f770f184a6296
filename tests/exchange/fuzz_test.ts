import assert from "node:assert/strict";
import fc from "npm:fast-check@4.10.2";
import { Random } from "../../core/random.ts";
import { TARGETS } from "../../scripts/fuzz/exchange.ts";
import { type Target, tried } from "../../scripts/fuzz/harness.ts";

const FINDS = new URL("../testdata/finds/", import.meta.url);

async function assertTaken(target: Target, bytes: Uint8Array, what: string): Promise<boolean> {
  // How long it takes depends on the machine: the fuzzer looks at that.
  const { problem, accepted } = await tried(target, bytes, Infinity);
  assert.equal(problem, undefined, `${what}: ${problem}`);
  return accepted;
}

Deno.test("a slow file's problem is reported, its slowness by the fuzzer alone", async () => {
  const sleep = () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1100);
  const slow: Target = { name: "slow", make: () => new Uint8Array(0), read: sleep };
  const broken: Target = {
    ...slow,
    read() {
      sleep();
      throw new Error("not in words of ours");
    },
  };
  assert.equal(await assertTaken(slow, new Uint8Array(0), "slow"), true);
  await assert.rejects(assertTaken(broken, new Uint8Array(0), "broken"), /not in words of ours/);
  assert.match((await tried({ ...slow, read() {} }, new Uint8Array(0), -1)).problem!, /^took \d+ ms$/);
});

for (const target of TARGETS) {
  Deno.test(`${target.name}: mutated files give tensors or one of our errors`, async () => {
    let accepted = 0, count = 0;
    const property = fc.asyncProperty(fc.nat(), async (seed) => {
      count++;
      accepted += Number(await assertTaken(target, target.make(new Random(seed, "data")), `seed ${seed}`));
    });
    await fc.assert(property, { numRuns: 1000, endOnFailure: true });
    // A mutation that breaks every file, or none, would test little.
    assert.ok(accepted > 0.02 * count && accepted < 0.5 * count, `${accepted} of ${count} accepted`);
  });

  Deno.test(`${target.name}: any bytes give tensors or one of our errors`, async () => {
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      await assertTaken(target, bytes, `bytes ${bytes}`);
    }));
  });

  Deno.test(`${target.name}: what the fuzzer found before is taken well`, async () => {
    const finds = [...Deno.readDirSync(FINDS)].map(({ name }) => name).filter((name) =>
      name.startsWith(`${target.name}-`)
    );
    assert.ok(finds.length > 0);
    for (const name of finds) {
      const accepted = await assertTaken(target, Deno.readFileSync(new URL(name, FINDS)), name);
      // Those were taken although PyTorch refuses them.
      if (name.includes("-accepted-")) assert.ok(!accepted, name);
    }
  });
}
