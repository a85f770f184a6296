import fc from "npm:fast-check@4.10.2";
import { mutated, read } from "./mutated.ts";

const FOLDER = `${import.meta.dirname}/../testdata/checkpoints`;
const BASES = ["v1/adam", "v1/sgd", "v2/adamw", "v2/model", "v3/adamw", "v3/network"].map((name) =>
  Deno.readTextFileSync(`${FOLDER}/${name}.json`)
);

Deno.test("a mutated checkpoint is refused in words of ours, or taken for what it says", async () => {
  await fc.assert(fc.asyncProperty(mutated(BASES), async (one) => void await read(one)), { numRuns: 1000, seed: 4 });
});
