/**
 * Asks a service what nobody should: hostile bodies, headers and paths, through the handler, and some of them over the wire.
 * Every request must be answered, none with 500, errors in words without a stack, and the memory must not grow.
 *
 *     deno task fuzz:service --runs 200000 --wire 5000 --seed 0
 *
 * @module
 */

import { Random } from "../../core/random.ts";
import { createHandler } from "../../mod.ts";
import { everyKind } from "../../tests/serve/models.ts";
import { commandLine, numberOption } from "../command_line.ts";
import { mutateBytes, pick } from "./harness.ts";

const { values } = commandLine("deno task fuzz:service", "Asks a service what nobody should.", {
  runs: { type: "string", default: "20000", about: "requests through the handler" },
  wire: { type: "string", default: "1000", about: "requests over the wire" },
  seed: { type: "string", default: "0", about: "of the requests" },
});
const runs = numberOption("runs", values.runs, 0), wire = numberOption("wire", values.wire, 0);
const seed = numberOption("seed", values.seed, 0);

/** What a request is made of, before it is broken. */
interface Seed {
  readonly method: string;
  readonly path: string;
  readonly type?: string;
  readonly body?: string | Uint8Array;
  readonly headers?: Record<string, string>;
}

const STEPS = "[[1.5,-2],[0.25,3],[1e-3,4]]", TEXT = '"the film was good"';
const TABLE = "month,sales,price\n" + Array.from({ length: 12 }, (_, i) => `2015-${i + 1},${90 + i},9.8`).join("\n");
const MOVES = "id,t,speed,turn\na,0,1,2\na,1,2,1\nb,0,0,1\n";

/** A request of Open Inference with its tensor as bytes. */
function binary(): { body: Uint8Array; headers: Record<string, string> } {
  const head = new TextEncoder().encode(JSON.stringify({
    inputs: [{ name: "x", shape: [1, 2, 2], datatype: "FP32", parameters: { binary_data_size: 16 } }],
    parameters: { binary_data_output: true },
  }));
  const numbers = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
  return {
    body: Uint8Array.from([...head, ...numbers]),
    headers: { "inference-header-content-length": String(head.length) },
  };
}

const JSON_TYPE = "application/json";
const infer = (model: string, input: object) => ({
  method: "POST",
  path: `/v2/models/${model}/infer`,
  type: JSON_TYPE,
  body: JSON.stringify({ id: "1", inputs: [{ name: "x", ...input }], outputs: [] }),
});
const post = (path: string, body: string, type = JSON_TYPE): Seed => ({ method: "POST", path, type, body });

/** Requests that are answered. */
const SEEDS: readonly Seed[] = [
  post("/predict", `{"x":${STEPS},"id":"a"}`),
  post("/predict?attention=true", `[{"x":${STEPS}},{"x":${STEPS}}]`),
  post("/predict", `[${STEPS},${STEPS}]`),
  post("/predict", `{"x":${STEPS}}\n${STEPS}\n`, "application/x-ndjson"),
  post("/models/moves/predict", `{"x":${STEPS}}`),
  post("/models/moves/predict", MOVES, "text/csv"),
  post("/models/moves/predict", MOVES, "text/plain"),
  post("/models/reviews/predict", `{"x":${TEXT}}`),
  post("/models/reviews/predict", `[${TEXT},${TEXT}]`),
  post("/models/reviews/predict", "the film was good\nbad\n", "text/plain; charset=utf-8"),
  post("/models/sales/predict", TABLE, "text/csv"),
  post("/models/sales/predict", "[[1],[2],[3],[4],[5],[6],[7],[8]]"),
  post("/models/dates/predict", '"1/2/1999"'),
  post("/invocations", `{"inputs":[${STEPS}]}`),
  post("/invocations", '{"dataframe_split":{"columns":["a","b"],"data":[[1,2],[3,null]]}}'),
  post("/invocations", '{"dataframe_records":[{"a":1,"b":"x"},{"a":2,"b":"y"}]}'),
  post("/v1/models/moves:predict", `{"instances":[${STEPS},{"x":${STEPS}}]}`),
  infer("plain", { shape: [1, 2, 2], datatype: "FP32", data: [1, 2, 3, 4] }),
  infer("moves", { shape: [2, 1, 2], datatype: "INT64", data: [[[1, 2]], [[3, 4]]] }),
  infer("reviews", { shape: [2], datatype: "BYTES", data: ["good", "bad"] }),
  { method: "POST", path: "/v2/models/plain/infer", type: "application/octet-stream", ...binary() },
  post("/streams/a", "[1,2]"),
  post("/models/moves/streams/b?steps=0", `{"x":${STEPS}}`),
  post("/models/reviews/streams/c", TEXT),
  { method: "GET", path: "/streams/a" },
  { method: "DELETE", path: "/streams/a" },
  { method: "GET", path: "/metrics" },
  { method: "GET", path: "/v2/models/moves" },
  { method: "GET", path: "/health/ready" },
  { method: "GET", path: "/openapi.json" },
];

/** What stands in place of a value of JSON. */
const VALUES: readonly string[] = [
  ...["1e999", "-1e308", "1e-400", "123456789012345678901234567890", "-0", "0.1e+", "NaN", "Infinity", "null", "true"],
  ...['""', '"\\ud800"', '"\\u0000"', '"__proto__"', "{}", "[]", "[[]]", "[[[]]]", "[null]", '{"x":null}', '{"x":[]}'],
  ...['{"__proto__":{"x":[[1,2]]}}', '{"constructor":{"prototype":{}}}', '{"x":[[1,2]],"x":[[1]]}', '{"length":1e9}'],
  ...[
    '{"x":{"length":2}}',
    '{"toString":1,"x":[[1,2]]}',
    "[[1,2],[1]]",
    '"' + "a".repeat(5000) + '"',
    "1.7976931348623157e308",
  ],
  ...[
    "[".repeat(3000) + "]".repeat(3000),
    "[".repeat(40_000),
    '{"a":'.repeat(3000),
    "[1,2," + "[1,2],".repeat(500) + "[3,4]]",
  ],
  ...["\u2028", "\ufeff[]", "-", "4294967297", "9007199254740993", "3.4028236e38"],
];

const PATHS: readonly string[] = [
  ...["/%", "/%zz", "/models/%2e%2e/predict", "/models/__proto__/predict", "/models/constructor/predict", "//predict"],
  ...["/predict/", "/v2/models/moves/versions/9/infer", "/v1/models/moves:classify", "/streams/" + "k".repeat(3000)],
  ...[
    "/streams/%00",
    "/streams/%F0%9F%98%80",
    "/streams/__proto__",
    "/models/moves/streams/..%2f..",
    "/openapi.json?x=1",
  ],
];

const HEADERS: readonly (readonly [string, string])[] = [
  ["content-encoding", "gzip"],
  ["content-encoding", "br"],
  ["content-encoding", "gzip, gzip"],
  ["content-length", "5"],
  ["content-length", "99999999999"],
  ["content-length", "-1"],
  ["content-length", "abc"],
  ["content-type", ""],
  ["content-type", "application/json; charset=utf-16"],
  ["content-type", "text/csv"],
  ["content-type", "multipart/form-data; boundary=x"],
  ["content-type", "__proto__"],
  ["inference-header-content-length", "7"],
  ["inference-header-content-length", "1e9"],
  ["authorization", "Bearer x"],
  ["origin", "null"],
  ["connection", "close"],
];

const METHODS = ["GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "HEAD"];
const encoder = new TextEncoder(), decoder = new TextDecoder();

async function gzip(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A body with something changed: bytes, a value of its JSON, or all of it. */
function broken(body: Uint8Array, random: Random): Uint8Array {
  switch (random.below(5)) {
    case 0:
      return mutateBytes(body, random);
    case 1: {
      const text = decoder.decode(body), places = [...text.matchAll(/-?\d[\d.e-]*|"[^"]*"|null/g)];
      if (!places.length) return body;
      const { index, 0: old } = pick(random, places);
      return encoder.encode(text.slice(0, index) + pick(random, VALUES) + text.slice(index + old.length));
    }
    case 2:
      return encoder.encode(pick(random, VALUES));
    case 3: {
      const other = pick(random, SEEDS).body ?? "";
      return typeof other === "string" ? encoder.encode(other) : other;
    }
    default:
      return body;
  }
}

/** A request number i, which is answered or is not. */
async function requestOf(i: number): Promise<Seed & { readonly bytes?: Uint8Array; readonly isStream: boolean }> {
  const random = new Random(seed, "data", i), base = pick(random, SEEDS);
  let { path, method } = base, bytes = typeof base.body === "string" ? encoder.encode(base.body) : base.body;
  const headers: Record<string, string> = { ...base.type && { "content-type": base.type }, ...base.headers };
  for (let count = random.below(4); count > 0 && bytes; count--) bytes = broken(bytes, random);
  if (random.below(12) === 0) path = pick(random, PATHS);
  if (random.below(12) === 0) {
    path += `?${pick(random, ["attention=true", "attention=2", "steps=-1", "steps=1e9", "%"])}`;
  }
  if (random.below(20) === 0) method = pick(random, METHODS);
  if (path === "/streams/a" && random.below(2)) path = `/streams/${random.below(1000)}`;
  if (bytes && random.below(400) === 0) {
    bytes = new Uint8Array(2 ** 20 + random.below(3) - 1).fill(pick(random, [91, 48, 32, 0]));
  }
  if (bytes && random.below(15) === 0) {
    headers["content-encoding"] = "gzip";
    bytes = random.below(50) ? await gzip(bytes) : await gzip(new Uint8Array(2 ** 23));
    if (random.below(3) === 0) bytes = mutateBytes(bytes, random);
  }
  if (random.below(8) === 0) {
    const [name, value] = pick(random, HEADERS);
    headers[name] = value;
  }
  return { method, path, headers, bytes, isStream: random.below(10) === 0 };
}

/** What is wrong with an answer, or undefined. */
async function problemIn(response: Response): Promise<string | undefined> {
  const { status } = response, text = await response.text();
  if (status >= 500 && status !== 503) return `status ${status}: ${failed}`;
  if (/\bat (async )?[\w.#]+ \(|file:\/\/|\.ts:\d+/.test(text) && !text.startsWith("<!doctype")) {
    return `a stack: ${text}`;
  }
  if (Object.keys(Object.prototype).length) return "Object.prototype has changed";
  if (status < 400 || !text) return undefined;
  try {
    const { error } = JSON.parse(text);
    return typeof error === "string" && error ? undefined : `no error in ${text}`;
  } catch {
    return `no JSON: ${text}`;
  }
}

const collect = (globalThis as { gc?: () => void }).gc;

/** Megabytes in use, after what nobody uses is freed. */
function memory(): number {
  collect?.();
  collect?.();
  const { heapUsed, external, rss } = Deno.memoryUsage();
  return (collect ? heapUsed + external : rss) / 2 ** 20;
}

let problems = 0;
const say = (what: string) => {
  if (problems++ < 20) console.log(what);
};
/** What failed in the service last. */
let failed = "";
const handler = createHandler(await everyKind(), {
  onAnswer({ status, error = "" }) {
    if (status >= 500) failed = error;
  },
  maxStreams: 100,
  maxStreamSteps: 20_000,
  bodyTimeout: 2000,
  cors: "*",
});
await handler.opened;
const statuses = new Map<number, number>(), marks: number[] = [];
let slowest = 0, slow = "";
for (let i = 0; i < runs; i++) {
  const { method, path, headers, bytes, isStream } = await requestOf(i);
  const body = method === "GET" || method === "HEAD" || !bytes
    ? undefined
    : isStream
    ? ReadableStream.from([bytes.subarray(0, 7), bytes.subarray(7)])
    : bytes as BodyInit;
  let request: Request;
  try {
    request = new Request(`http://localhost${path}`, { method, headers, body });
  } catch {
    continue; // No engine makes such a request.
  }
  if (body && !isStream && !headers!["content-length"]) request.headers.set("content-length", String(bytes!.length));
  const start = performance.now();
  try {
    const response = await handler(request), problem = await problemIn(response);
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
    if (problem) say(`request ${i}, ${method} ${path}: ${problem}`);
  } catch (error) {
    say(`request ${i}, ${method} ${path}: ${(error as Error).stack}`);
  }
  const took = performance.now() - start;
  if (took > slowest) [slowest, slow] = [took, `request ${i}, ${method} ${path.slice(0, 60)}`];
  if ((i + 1) % Math.ceil(runs / 8) === 0) marks.push(memory());
}
if (runs) {
  const counts = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`).join(", ");
  console.log(`${runs} requests through the handler: ${counts}; slowest ${slowest.toFixed(0)} ms (${slow})`);
  console.log(`MB in use, at eighths of the way: ${marks.map((mark) => mark.toFixed(1)).join(", ")}`);
  // The first eighths fill caches.
  const growth = marks.at(-1)! - marks[3]!;
  if (growth > 8) say(`the memory grew by ${growth.toFixed(1)} MB over the second half`);
}

/** Sends bytes; what comes back until the other side closes, or nothing more comes. */
async function sent(port: number, bytes: Uint8Array, random: Random): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const cut = random.below(8) === 0 ? random.below(bytes.length) : bytes.length, pieces = 1 + random.below(3);
  try {
    for (let p = 0; p < pieces; p++) {
      let part = bytes.subarray(Math.floor(cut * p / pieces), Math.floor(cut * (p + 1) / pieces));
      while (part.length) part = part.subarray(await connection.write(part));
    }
    await connection.closeWrite();
    const chunks: Uint8Array[] = [], buffer = new Uint8Array(1 << 16);
    for (let count; (count = await connection.read(buffer)) !== null;) chunks.push(buffer.slice(0, count));
    return decoder.decode(Uint8Array.from(chunks.flatMap((chunk) => [...chunk.subarray(0, 4096)])));
  } catch {
    return ""; // It was closed before all was sent.
  }
}

if (wire) {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler), { port } = server.addr;
  let answered = 0;
  for (let i = 0; i < wire; i++) {
    const { method, path, headers, bytes, isStream } = await requestOf(runs + i),
      random = new Random(seed, "dropout", i);
    const body = bytes ?? new Uint8Array(),
      own = { host: "localhost", connection: "close", ...headers } as Record<string, string>;
    if (isStream) own["transfer-encoding"] = "chunked";
    else own["content-length"] ??= String(body.length);
    const lines = Object.entries(own).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const chunked = isStream ? [`${body.length.toString(16)}\r\n`, body, "\r\n0\r\n\r\n"] : [body];
    let message = await new Blob([`${method} ${path} HTTP/1.1\r\n${lines}\r\n`, ...chunked as BlobPart[]]).bytes();
    if (random.below(10) === 0) message = mutateBytes(message, random) as Uint8Array<ArrayBuffer>;
    const answer = await sent(port, message, random), [, status] = /^HTTP\/1\.1 (\d+)/.exec(answer) ?? [];
    if (status) answered++;
    if (Number(status) >= 500 && status !== "503") {
      say(`request ${i} over the wire, ${method} ${path}: ${answer.slice(0, 300)}`);
    }
  }
  const check = await fetch(`http://127.0.0.1:${port}/health/ready`);
  if (check.status !== 200 || !(await check.json()).ready) say("the service is no longer ready");
  await server.shutdown();
  console.log(`${wire} requests over the wire, of which ${answered} were answered`);
}
await handler.dispose();
console.log(problems ? `${problems} problems` : "no problem");
Deno.exit(problems ? 1 : 0);
