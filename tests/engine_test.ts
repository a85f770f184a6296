import assert from "node:assert/strict";
import { fromBase64, iterate, toBase64, toHex } from "../core/engine.ts";

/** Runs with some functions of the engine taken away. */
function without<T>(run: () => T): T {
  const places = [[Uint8Array.prototype, "toHex"], [Uint8Array.prototype, "toBase64"], [
    Uint8Array,
    "fromBase64",
  ]] as const;
  const kept = places.map(([object, name]) => Object.getOwnPropertyDescriptor(object, name)!);
  for (const [object, name] of places) delete (object as unknown as Record<string, unknown>)[name];
  try {
    return run();
  } finally {
    places.forEach(([object, name], i) => Object.defineProperty(object, name, kept[i]!));
  }
}

const ALL = Uint8Array.from({ length: 70_000 }, (_, i) => (i * 7) ^ (i >> 8));

Deno.test("hexadecimal digits and Base64 are the same where the engine lacks them", () => {
  for (const length of [0, 1, 2, 3, 4, 5, 255, 70_000]) {
    const bytes = ALL.subarray(0, length), [hex, base64] = without(() => [toHex(bytes), toBase64(bytes)]);
    assert.deepEqual([hex, base64], [toHex(bytes), toBase64(bytes)]);
    assert.deepEqual(without(() => fromBase64(base64!)), fromBase64(base64!));
    assert.deepEqual(fromBase64(base64!), new Uint8Array(bytes));
  }
});

Deno.test("what is no Base64 is refused in every engine alike", () => {
  for (const text of ["A", "AB", "ABC", "AB=", "A===", "AB==C", "AB==CD==", "AB$=", "AR==", "ABB=", "ABCDE", "===="]) {
    assert.throws(() => fromBase64(text), Error, text);
    assert.throws(() => without(() => fromBase64(text)), Error, text);
  }
});

Deno.test("a stream without an iterator is read by its reader, and canceled when it is left", async () => {
  let canceled = false;
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(Uint8Array.of(1, 2)),
    cancel: () => void (canceled = true),
  });
  const bare = { getReader: () => stream.getReader() } as unknown as ReadableStream<Uint8Array>;
  const pieces = iterate(bare);
  assert.deepEqual((await pieces.next()).value, Uint8Array.of(1, 2));
  await pieces.return!();
  assert.equal(canceled, true);
});
