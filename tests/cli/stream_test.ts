/** Text that is written in the background. */

import assert from "node:assert/strict";
import { OutputStream } from "../../core/cli/stream.ts";

/** A reader that takes `most` bytes at a time, or throws what it is told to. */
function reader(most = Infinity) {
  const errors: Error[] = [];
  let text = "", gate: Promise<void> = Promise.resolve();
  const stream = new OutputStream(async (bytes) => {
    await gate;
    const error = errors.shift();
    if (error) throw error;
    const taken = bytes.subarray(0, most);
    text += new TextDecoder().decode(taken);
    return taken.length;
  });
  return { stream, errors, read: () => text, stop: (until: Promise<void>) => gate = until };
}

Deno.test("everything arrives in order, in parts and again where a pipe takes no more", async () => {
  const { stream, errors, read } = reader(3);
  errors.push(new Deno.errors.WouldBlock("full"), new Deno.errors.Interrupted("signal"));
  for (const text of ["one\n", "two\n", "three\n"]) stream.write(text);
  assert.ok(await stream.flush());
  assert.equal(read(), "one\ntwo\nthree\n");
  assert.equal(stream.failure, undefined);
});

Deno.test("two streams keep their order, unless one is stuck", async () => {
  const seen: string[] = [],
    note = (name: string) => (bytes: Uint8Array) => {
      seen.push(`${name}: ${new TextDecoder().decode(bytes)}`);
      return Promise.resolve(bytes.length);
    };
  const one = new OutputStream(note("one")), other = new OutputStream(note("other"));
  one.write("a"), other.write("b"), one.write("c"), one.write("d");
  await Promise.all([one.flush(), other.flush()]);
  assert.deepEqual(seen, ["one: a", "other: b", "one: cd"]);
  const stuck = Promise.withResolvers<void>(), slow = reader();
  slow.stop(stuck.promise);
  slow.stream.write("e"), other.write("f");
  assert.ok(await other.flush() && !slow.stream.isIdle);
  assert.equal(seen.at(-1), "other: f");
  assert.ok(!await slow.stream.flush(1));
  stuck.resolve();
  assert.ok(await slow.stream.flush());
});

Deno.test("news that nobody reads are left out, and counted once it is read again", async () => {
  const { stream, read, stop } = reader(), stuck = Promise.withResolvers<void>();
  stop(stuck.promise);
  const line = "x".repeat(1 << 16);
  for (let i = 0; i < 40; i++) stream.news(line);
  stream.write("kept\n");
  stuck.resolve();
  await stream.flush();
  stream.news("again");
  await stream.flush();
  const lines = read().trim().split("\n");
  assert.equal(lines.filter((text) => text === line).length, 16);
  assert.deepEqual(lines.slice(16), ["kept", "… 24 lines are left out, which nobody read", "again"]);
});

Deno.test("of several lines at once each counts as left out, in the words of whoever writes them", async () => {
  const { stream, read, stop } = reader(), stuck = Promise.withResolvers<void>();
  stop(stuck.promise);
  for (const text of ["x".repeat(1 << 21), "a\nb\nc"]) stream.news(text);
  stuck.resolve();
  await stream.flush();
  stream.news("d", (count) => `{"lost":${count}}`);
  await stream.flush();
  assert.deepEqual(read().split("\n").slice(1), ['{"lost":3}', "d", ""]);
});

Deno.test("a file takes large pieces, anything else no more than a pipe takes whole", async () => {
  for (const [isFile, most] of [[true, 1 << 16], [false, Deno.build.os === "linux" ? 4096 : Infinity]] as const) {
    const sizes: number[] = [];
    const stream = new OutputStream(
      (bytes) => Promise.resolve(sizes[sizes.length] = bytes.length),
      () => Promise.resolve(isFile),
    );
    stream.write("x".repeat(200_000));
    await stream.flush();
    assert.equal(sizes.reduce((a, b) => a + b), 200_000);
    if (most < Infinity) assert.equal(Math.max(...sizes), most);
  }
});

Deno.test("what fails is known until something is written again; what is gone stays gone", async () => {
  const { stream, errors, read } = reader();
  errors.push(new Error("No space left"));
  stream.write("lost");
  await stream.flush();
  assert.equal(stream.failure?.message, "No space left");
  await assert.rejects(() => stream.ready(), /No space/);
  stream.write("there");
  await stream.flush();
  assert.equal(stream.failure, undefined);
  errors.push(new Deno.errors.BrokenPipe("gone"));
  for (const text of ["a", "b"]) stream.write(text);
  await stream.flush();
  stream.write("c");
  assert.ok(stream.isGone && stream.isIdle && stream.failure !== undefined);
  assert.equal(read(), "there");
});

Deno.test("at the end a stream waits as long as it is read, and no longer", async () => {
  const { stream, stop, read } = reader(1), stuck = Promise.withResolvers<void>();
  stream.write("slow");
  assert.ok(await stream.finish(1000));
  stop(stuck.promise);
  stream.write("stuck");
  assert.ok(!await stream.finish(10));
  stuck.resolve();
  assert.ok(await stream.finish(Infinity));
  assert.equal(read(), "slowstuck");
});
