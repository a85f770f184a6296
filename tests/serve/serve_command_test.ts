/** `serve` as a program: where it listens, what it says, how it ends. */

import assert from "node:assert/strict";
import { type CheckpointParts, formatCheckpoint } from "../../mod.ts";
import { assertFails, MOD, Place } from "../cli/run.ts";
import { moves, plain } from "./models.ts";

type Json = Record<string, unknown>;

/** A checkpoint of a model. */
async function checkpoint(made: ReturnType<typeof moves>): Promise<string> {
  const { model, preprocessing, job } = await made;
  const text = await formatCheckpoint({ model, preprocessing, job } as CheckpointParts);
  model.dispose();
  return text;
}

/** A service that runs. */
class Running implements AsyncDisposable {
  readonly child: Deno.ChildProcess;
  /** Where it listens. */
  url = "";
  /** What it said to standard error so far. */
  said = "";
  readonly log: Promise<string>;
  readonly #lines: ReadableStreamDefaultReader<string>;

  constructor(
    place: Place,
    args: readonly string[],
    env: Record<string, string> = {},
    permissions: readonly string[] = [],
  ) {
    this.child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-q",
        "--no-prompt",
        "--no-check",
        "--allow-net=127.0.0.1",
        `--allow-read=${place.path}`,
        ...permissions,
        MOD,
        "serve",
        ...args,
        "--port=0",
      ],
      cwd: place.path,
      env: { NO_COLOR: "1", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.log = new Response(this.child.stdout).text();
    this.#lines = this.child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Waits until it says something. */
  async says(words: RegExp): Promise<void> {
    while (!words.test(this.said)) {
      const { done, value } = await this.#lines.read();
      assert.ok(!done, `it ended without ${words}: ${this.said}`);
      this.said += value;
    }
  }

  async begin(): Promise<this> {
    await this.says(/^serving .*\n/m);
    this.url = /http:\/\/127\.0\.0\.1:\d+/.exec(this.said)![0];
    return this;
  }

  async ask(
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; json: Json }> {
    const response = await fetch(this.url + path, {
      method: body === undefined ? "GET" : "POST",
      headers: { "content-type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return { status: response.status, json: await response.json() };
  }

  /** Sends a signal, or waits for the end; the exit code. */
  async end(...signals: Deno.Signal[]): Promise<number> {
    for (const signal of signals) this.child.kill(signal);
    for (let done = false; !done;) {
      const piece = await this.#lines.read();
      this.said += piece.value ?? "";
      ({ done } = piece);
    }
    return (await this.child.status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#lines.cancel();
    await this.child.status;
    await this.log;
  }
}

Deno.test("a service listens here alone, writes a line of JSON a request, and ends with 0 by SIGTERM", async () => {
  await using place = await Place.make();
  place.write("best.json", await checkpoint(moves()));
  await using service = await new Running(place, ["best.json"]).begin();
  assert.match(
    service.said,
    /^serving best on http:\/\/127\.0\.0\.1:\d+\/, without a token: --allow-env=GRUTTO_TOKEN reads one\n$/,
  );
  const head = await fetch(`${service.url}/health/live`, { method: "HEAD" });
  assert.deepEqual([head.status, head.headers.get("content-length"), await head.text()], [200, "13", ""]);
  assert.equal((await service.ask("/predict", [[1, 2]])).status, 200);
  assert.equal((await service.ask("/predict?secret", { x: "secret" })).status, 400);
  assert.equal(await service.end("SIGTERM"), 0);
  const lines = (await service.log).trimEnd().split("\n").map((line) => JSON.parse(line) as Json);
  assert.deepEqual(
    lines.map(({ method, path, status, model, sequences }) => [method, path, status, model, sequences]),
    [
      ["HEAD", "/health/live", 200, undefined, undefined],
      ["POST", "/predict", 200, "best", 1],
      ["POST", "/predict", 400, undefined, undefined],
    ],
  );
  assert.ok(!(await service.log).includes("secret"));
  assert.match(service.said, /SIGTERM: no longer ready/);
});

Deno.test("what is being answered when the signal comes is answered; a second signal ends at once", async () => {
  await using place = await Place.make();
  place.write("best.json", await checkpoint(moves()));
  for (const twice of [false, true]) {
    await using service = await new Running(place, ["best.json", "--quiet"]).begin();
    const { port } = new URL(service.url), body = '{"x":[[1,2]]}';
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
    const send = (text: string) => connection.write(new TextEncoder().encode(text));
    await send(
      `POST /predict HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n{`,
    );
    // It has taken that once it has answered another one.
    await service.ask("/health/ready");
    service.child.kill("SIGTERM");
    await service.says(/no longer ready/);
    // Whatever ends a job may do it twice: that is the same signal.
    service.child.kill("SIGTERM");
    assert.equal((await service.ask("/health/ready")).status, 503);
    if (twice) {
      await new Promise((resolve) => setTimeout(resolve, 400));
      assert.equal(await service.end("SIGTERM"), 143);
      continue;
    }
    await send(body.slice(1));
    const buffer = new Uint8Array(4096), count = await connection.read(buffer);
    assert.match(new TextDecoder().decode(buffer.subarray(0, count!)), /^HTTP\/1\.1 200 [^]*"probabilities"/);
    assert.equal(await service.end(), 0);
    assert.equal(await service.log, "");
  }
});

Deno.test("a connection whose body never comes keeps no service from ending", async () => {
  await using place = await Place.make();
  place.write("best.json", await checkpoint(moves()));
  await using service = await new Running(place, ["best.json", "--quiet"]).begin();
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(service.url).port) });
  const head =
    "POST /predict HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9999999\r\n\r\n{";
  await connection.write(new TextEncoder().encode(head));
  const buffer = new Uint8Array(4096), count = await connection.read(buffer);
  assert.match(new TextDecoder().decode(buffer.subarray(0, count!)), /^HTTP\/1\.1 413 /);
  assert.equal(await service.end("SIGTERM"), 0);
});

Deno.test("a checkpoint that changes is served anew; a bad one leaves the model and is said", async () => {
  await using place = await Place.make();
  place.write("best.json", await checkpoint(moves()));
  await using service = await new Running(place, ["best.json"]).begin();
  const before = (await service.ask("/predict", [[1, 2]])).json;
  place.write("best.json", '{"format":"grutto"');
  await service.says(/warning: the model before goes on: cannot load checkpoint.*\n/);
  assert.deepEqual((await service.ask("/predict", [[1, 2]])).json, before);
  // As checkpoints are written: beside their place, and then moved there.
  place.write("next.json", await checkpoint(plain()));
  await Deno.rename(`${place.path}/next.json`, `${place.path}/best.json`);
  await service.says(/note: best is served anew/);
  assert.ok("class" in (await service.ask("/predict", [[1, 2]])).json);
  const numbers = await (await fetch(`${service.url}/metrics`)).text();
  for (const result of ["loaded", "failed"]) {
    assert.ok(numbers.includes(`grutto_reloads_total{model="best",result="${result}"} 1\n`), numbers);
  }
  assert.equal(await service.end("SIGINT"), 0);
  const events = (await service.log).trimEnd().split("\n").map((line) => JSON.parse(line) as Json).filter(({ event }) =>
    event
  );
  assert.deepEqual(events.map(({ event, ok }) => [event, ok]), [["reload", false], ["reload", true]]);
});

Deno.test("several checkpoints go by their names, and a token from the environment guards them", async () => {
  await using place = await Place.make();
  await Deno.mkdir(`${place.path}/a`);
  place.write("best.json", await checkpoint(moves()));
  place.write("a/best.json", await checkpoint(plain()));
  await using service = await new Running(place, ["best.json", "größe=a/best.json"], { GRUTTO_TOKEN: "secret" }, [
    "--allow-env=GRUTTO_TOKEN",
  ]).begin();
  assert.match(service.said, /^serving best, größe on .*, with the token in GRUTTO_TOKEN\n$/);
  const headers = { authorization: "Bearer secret" };
  assert.equal((await service.ask("/predict", [[1, 2]])).status, 401);
  assert.ok("label" in (await service.ask("/models/best/predict", [[1, 2]], headers)).json);
  assert.ok("class" in (await service.ask("/models/gr%C3%B6%C3%9Fe/predict", [[1, 2]], headers)).json);
  assert.equal(await service.end("SIGTERM"), 0);
  assert.ok(!service.said.includes("secret"));
  await using wrong = new Running(place, ["best.json"], { GRUTTO_TOKEN: "schlüssel" }, ["--allow-env=GRUTTO_TOKEN"]);
  assert.equal(await wrong.end(), 2);
  assert.equal(wrong.said, "error: GRUTTO_TOKEN must be printable ASCII characters, no space at its ends\n");
});

Deno.test("what cannot be served is one line, with what to do", async () => {
  await using place = await Place.make();
  place.write("best.json", await checkpoint(moves()));
  const net = "--allow-net=127.0.0.1", read = `--allow-read=${place.path}`;
  assertFails(
    await place.runWith([net, read], "serve"),
    2,
    "serve needs a checkpoint, such as: serve checkpoints/best.json",
  );
  assertFails(
    await place.runWith([net, read], "serve none.json"),
    1,
    'cannot read checkpoint "none.json": there is no such file',
  );
  assertFails(
    await place.runWith([net, read], "serve best.json a/best.json"),
    2,
    'two models go by the name "best": say NAME=CHECKPOINT',
  );
  assertFails(
    await place.runWith([read], "serve best.json --port 8137"),
    1,
    /cannot listen on 127\.0\.0\.1:8137: no permission; to allow it: deno run --allow-read=best\.json --allow-net=127\.0\.0\.1:8137 .* serve best\.json --port 8137\n$/,
  );
  assertFails(
    await place.runWith([net], "serve x=best.json"),
    1,
    /no permission; to allow it: deno run --allow-read=best\.json --allow-net/,
  );
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  assertFails(
    await place.runWith([net, read], `serve best.json --port ${port}`),
    1,
    `cannot listen on 127.0.0.1:${port}: the port is taken: --port N takes another, 0 any that is free`,
  );
  assertFails(
    await place.runWith([net, read], "serve best.json --port 70000"),
    2,
    /--port must be an integer from 0 to 65535/,
  );
  assertFails(
    await place.runWith([net, read], "serve best.json --max-body 0"),
    2,
    /--max-body must be an integer from 1/,
  );
  assertFails(
    await place.runWith([net, read], "predict best.json --port 1"),
    2,
    "--port belongs to serve, not to predict",
  );
});
