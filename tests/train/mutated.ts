/** Checkpoints with something wrong in them: what any disk, editor or attacker may make of one. */

import assert from "node:assert/strict";
import fc from "npm:fast-check@4.10.2";
import { formatCheckpoint, parseCheckpoint } from "../../mod.ts";
import { signed } from "../checkpoints.ts";

/** One mutated checkpoint. */
export interface Mutated {
  /** What was written before. */
  readonly base: string;
  readonly text: string;
  /** Whether its checksum was made to fit: a checksum is no signature. */
  readonly signed: boolean;
}

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** Values that readers stumble over. */
const value: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(null, true, "", [], {}, 0, -1, 0.5, 1e308, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 65536, 1e9),
  fc.constantFrom<Json>("__proto__", "float32", "adam", "sgd", "bce", "plain", "AAAA", "AADAfw==", "AACAfwAAgP8="),
  fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>,
  fc.string({ unit: "binary" }),
  fc.uint8Array({ maxLength: 64 }).map((bytes) => bytes.toBase64()),
);

const name = fc.oneof(
  fc.constantFrom(
    "__proto__",
    "constructor",
    "prototype",
    "toString",
    "hasOwnProperty",
    "",
    "fc.bias",
    "shape",
    "length",
  ),
  fc.string(),
);

type Edit =
  | { kind: "replace" | "append"; at: number; value: Json }
  | { kind: "add"; at: number; name: string; value: Json }
  | { kind: "delete" | "number"; at: number; by: number }
  | { kind: "swap" | "copy"; at: number; from: number };

const at = fc.nat();
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ kind: fc.constantFrom("replace" as const, "append" as const), at, value }),
  fc.record({ kind: fc.constant("add" as const), at, name, value }),
  fc.record({ kind: fc.constantFrom("delete" as const, "number" as const), at, by: fc.integer() }),
  fc.record({ kind: fc.constantFrom("swap" as const, "copy" as const), at, from: fc.nat() }),
);

/** Every place of a value: what holds it, and under which name. */
function places(json: Json): [Json & object, string][] {
  if (typeof json !== "object" || json === null) return [];
  return Object.keys(json).flatMap((key) => {
    const child = (json as Record<string, Json>)[key]!;
    return [[json, key] as [Json & object, string], ...places(child)];
  });
}

function set(object: object, key: string, value: Json) {
  if (Array.isArray(object) && key === "length") return void object.push(value);
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

function apply(json: Json, change: Edit): void {
  const all = places(json);
  if (!all.length) return;
  const [holder, key] = all[change.at % all.length]!, object = holder as Record<string, Json>, old = object[key]!;
  switch (change.kind) {
    case "replace":
      return set(object, key, change.value);
    case "append":
      return void (Array.isArray(old) ? old.push(change.value) : set(object, `${key}2`, change.value));
    case "add":
      return set(typeof old === "object" && old ? old : object, change.name, change.value);
    case "delete":
      return void delete object[key];
    case "number":
      return set(object, key, typeof old === "number" ? old + change.by : change.by);
    case "swap":
    case "copy": {
      const [other, name] = all[change.from % all.length]!,
        value = structuredClone((other as Record<string, Json>)[name]!);
      if (change.kind === "swap") set(other, name, structuredClone(old));
      return set(object, key, value);
    }
  }
}

/** Changed in structure. */
function restructured(base: string): fc.Arbitrary<Mutated> {
  return fc.tuple(fc.array(edit, { minLength: 1, maxLength: 3 }), fc.boolean()).map(([edits, sign]) => {
    const json = JSON.parse(base) as Json;
    for (const change of edits) apply(json, change);
    return { base, text: sign ? signed(json) : JSON.stringify(json), signed: sign };
  });
}

/** Changed in its bytes. */
function damaged(base: string): fc.Arbitrary<Mutated> {
  const bytes = new TextEncoder().encode(base), within = fc.nat({ max: bytes.length - 1 });
  const change = fc.oneof(
    fc.tuple(within, fc.nat({ max: 7 })).map(([at, bit]) => (b: number[]) => void (b[at % b.length]! ^= 1 << bit)),
    fc.tuple(within, fc.nat({ max: 200 })).map(([at, n]) => (b: number[]) => void b.splice(at, n)),
    fc.tuple(within, fc.uint8Array({ maxLength: 8 })).map(([at, more]) => (b: number[]) =>
      void b.splice(at, 0, ...more)
    ),
    fc.tuple(within, within, fc.nat({ max: 400 })).map(([at, from, n]) => (b: number[]) =>
      void b.splice(at, n, ...b.slice(from, from + n))
    ),
    within.map((at) => (b: number[]) => void b.splice(at)),
  );
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
    const copy = Array.from(bytes);
    for (const run of changes) if (copy.length) run(copy);
    return { base, text: new TextDecoder().decode(Uint8Array.from(copy)), signed: false };
  });
}

/** Deep, long and repeated where no checkpoint is. */
const strange: fc.Arbitrary<Mutated> = fc.oneof(
  fc.nat({ max: 200_000 }).map((n) => "[".repeat(n)),
  fc.tuple(fc.nat({ max: 200_000 }), fc.constantFrom("format", "version", "config", "job", "checksum")).map((
    [n, name],
  ) => `{"format":"grutto-checkpoint","version":3,"${name}":${"[".repeat(n)}${"]".repeat(n)}}`),
  fc.nat({ max: 20_000 }).map((n) => `{"format":"grutto-checkpoint","version":1,"parameters":{"a":${"[".repeat(n)}`),
  fc.string({ unit: "binary", maxLength: 200 }),
).map((text) => ({ base: "", text, signed: false }));

/** Mutations of some checkpoints. */
export function mutated(bases: readonly string[]): fc.Arbitrary<Mutated> {
  return fc.oneof(
    { weight: 1, arbitrary: strange },
    ...bases.flatMap((base) => [
      { weight: 10, arbitrary: restructured(base) },
      { weight: 5, arbitrary: damaged(base) },
    ]),
  );
}

const BUILT_IN = [Object.prototype, Array.prototype, Function.prototype, String.prototype];
const own = () => BUILT_IN.map((prototype) => Reflect.ownKeys(prototype).length);
const OWN = own();

/**
 * Reads a mutated checkpoint: it must be refused in our own words, or be taken for what it says.
 *
 * @returns Whether it was taken.
 */
export async function read({ base, text, signed }: Mutated): Promise<boolean> {
  let loaded: Awaited<ReturnType<typeof parseCheckpoint>>;
  try {
    loaded = await parseCheckpoint(text, "mutated.json", { threads: 1 });
  } catch (error) {
    assert.ok(error instanceof Error);
    assert.ok([TypeError, RangeError, SyntaxError].some((type) => error.constructor === type), String(error.stack));
    assert.match(error.message, /^Cannot load checkpoint "mutated\.json": /);
    return false;
  } finally {
    assert.deepEqual(own(), OWN, "a built-in prototype was changed");
  }
  const { model, trainer, training, preprocessing, job } = loaded;
  using _model = model;
  const before = JSON.parse(text), { version } = before, hasChecksum = version > 1;
  if (!signed && hasChecksum) assert.deepEqual(before, JSON.parse(base), "something changed, and was taken");
  const after = JSON.parse(await formatCheckpoint({ model, trainer: trainer ?? undefined }));
  assert.deepEqual(after.parameters, withoutBlanks(before.parameters));
  assert.deepEqual(after.trainer?.state, withoutBlanks(before.trainer?.state));
  assert.deepEqual(job, before.job);
  if (hasChecksum) assert.deepEqual(preprocessing, before.preprocessing);
  assert.equal(training?.state.epoch, before.training?.state.epoch);
  return true;
}

/** Blanks in base64 say nothing. */
function withoutBlanks(arrays: unknown): unknown {
  const text = JSON.stringify(arrays, (name, value) => name === "data" ? value.replaceAll(/[\t\n\f\r ]/g, "") : value);
  return text && JSON.parse(text);
}
