/**
 * Ends a service by SIGTERM under load, many times: every request that it took must be answered in full.
 *
 *     deno task drain --times 30 CHECKPOINT
 *
 * Clients ask without a pause, on connections that they keep as long as the service does. The service's log says which
 * requests it answered: each must have come back whole. Connections that are refused, or closed before the service took a
 * request, are counted apart: such a request was not accepted, and may be sent again elsewhere.
 *
 * @module
 */

import { commandLine, fail, numberOption } from "./command_line.ts";

const { values, operands: [checkpoint] } = commandLine("deno task drain", "Ends a service by SIGTERM under load.", {
  times: { type: "string", default: "30", about: "how often" },
  clients: { type: "string", default: "16", about: "at a time" },
  body: { type: "string", default: '{"x":[[1,2,3,4,5]]}', about: "of each request", takes: "JSON" },
}, ["CHECKPOINT"]);
const times = numberOption("times", values.times, 1), clients = numberOption("clients", values.clients, 1);
const MOD = new URL("../mod.ts", import.meta.url).pathname;

/** What became of the requests of one service. */
interface Outcome {
  readonly code: number;
  readonly answered: number;
  readonly logged: number;
  readonly wrong: number;
  readonly notTaken: number;
  readonly notReady: number;
}

/** A client that asks until it is refused. */
async function client(port: number, counts: { answered: number; wrong: number; notTaken: number }): Promise<void> {
  const encoder = new TextEncoder(), decoder = new TextDecoder(), buffer = new Uint8Array(1 << 16);
  const request = encoder.encode(
    `POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${values.body.length}\r\n\r\n` +
      values.body,
  );
  for (;;) {
    let connection: Deno.TcpConn;
    try {
      connection = await Deno.connect({ hostname: "127.0.0.1", port });
    } catch {
      return; // It takes no more connections.
    }
    using _ = connection;
    for (let isOpen = true; isOpen;) {
      let text = "";
      try {
        for (let rest = request; rest.length;) rest = rest.subarray(await connection.write(rest));
        for (let count; !isWhole(text) && (count = await connection.read(buffer)) !== null;) {
          text += decoder.decode(buffer.subarray(0, count));
        }
      } catch {
        // What came before counts.
      }
      if (isWhole(text) && text.startsWith("HTTP/1.1 200 ")) counts.answered++;
      else if (text === "") counts.notTaken++;
      else counts.wrong++;
      isOpen = isWhole(text) && !/^connection: close\r$/im.test(text);
    }
  }
}

/** Whether an answer has come in full. */
function isWhole(text: string): boolean {
  const [head, ...body] = text.split("\r\n\r\n"), [, length] = /^content-length: (\d+)\r?$/im.exec(head!) ?? [];
  return length !== undefined && body.join("\r\n\r\n").length >= Number(length);
}

/** Whether the service says that it is not ready, before it takes no more connections. */
async function seesNotReady(port: number): Promise<boolean> {
  try {
    for (;;) {
      const { status, body } = await fetch(`http://127.0.0.1:${port}/health/ready`);
      await body?.cancel();
      if (status === 503) return true;
    }
  } catch {
    return false;
  }
}

/** Starts a service, asks, ends it. */
async function once(pause: number): Promise<Outcome> {
  const service = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      "--no-check",
      "--allow-net=127.0.0.1",
      "--allow-read",
      MOD,
      "serve",
      checkpoint!,
      "--port",
      "0",
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const log = new Response(service.stdout).text(),
    lines = service.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  while (!/127\.0\.0\.1:\d+/.test(said)) {
    const { done, value } = await lines.read();
    if (done) fail(`the service does not start: ${said}`);
    said += value;
  }
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(said)![1]);
  const counts = { answered: 0, wrong: 0, notTaken: 0 };
  const asking = Array.from({ length: clients }, () => client(port, counts));
  await new Promise((resolve) => setTimeout(resolve, pause));
  service.kill("SIGTERM");
  const notReady = await seesNotReady(port);
  await Promise.all(asking);
  const { code } = await service.status;
  await lines.cancel();
  const logged = (await log).split("\n").filter((line) => line.includes('"path":"/predict","status":200')).length;
  return { code, logged, ...counts, notReady: Number(notReady) };
}

const total = { answered: 0, lost: 0, wrong: 0, notTaken: 0, badCodes: 0, notReady: 0 };
for (let time = 0; time < times; time++) {
  const { code, answered, logged, wrong, notTaken, notReady } = await once(200 + 37 * time);
  total.answered += answered;
  total.lost += Math.max(0, logged - answered);
  total.wrong += wrong;
  total.notTaken += notTaken;
  total.badCodes += Number(code !== 0);
  total.notReady += notReady;
  if (logged !== answered || wrong || code) {
    console.log(`time ${time}: ${answered} answered, ${logged} in the log, ${wrong} cut off, exit code ${code}`);
  }
}
console.log(
  `${times} times: ${total.answered} requests answered, ${total.lost} lost, ${total.wrong} cut off; ` +
    `not ready before it was closed ${total.notReady} times, exit code 0 ${times - total.badCodes} times; ` +
    `${total.notTaken} connections closed before a request was taken`,
);
Deno.exit(total.lost || total.wrong || total.badCodes || total.notReady < times ? 1 : 0);
