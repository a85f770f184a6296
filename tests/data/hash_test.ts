import assert from "node:assert/strict";
import { type Dataset, errorCode, hashDataset, sampleDataset } from "../../mod.ts";

Deno.test("what is not a dataset has no hash: a rejection that can be caught, and no other", async () => {
  const stray: unknown[] = [],
    listen = (event: PromiseRejectionEvent) => {
      event.preventDefault();
      stray.push(event.reason);
    };
  globalThis.addEventListener("unhandledrejection", listen);
  const { x, targets, shape } = sampleDataset({ size: 4 });
  for (const wrong of [undefined, null, 7, "data", {}, [], { x, targets }, { x, shape }, { targets, shape }]) {
    const promise = hashDataset(wrong as unknown as Dataset);
    await assert.rejects(promise, (error) => error instanceof TypeError && errorCode(error) === "argument-type");
  }
  await new Promise((resolve) => setTimeout(resolve, 0));
  globalThis.removeEventListener("unhandledrejection", listen);
  assert.deepEqual(stray, []);
});
