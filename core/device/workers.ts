/**
 * Workers from a text: web workers, or threads of Node, whose workers are others.
 *
 * @module
 */

import { loadNodeWorkers } from "../../deps.ts";

/** What the host knows of a worker. */
export interface HostedWorker {
  /** Sends a message to its `onmessage`. */
  post(message: unknown): void;
  /** Ends it. */
  terminate(): void;
}

/** Who hears of a worker: its messages, and errors in words. */
export interface Listeners {
  message(message: string): void;
  error(message: string): void;
}

/** Starts a worker whose program is a text. */
export type StartWorker = (program: string, listeners: Listeners) => HostedWorker;

/** How workers are started here; undefined where there are none. */
export async function workerStarter(): Promise<StartWorker | undefined> {
  if (typeof Worker !== "undefined") return startWebWorker;
  const { Worker: NodeWorker } = await loadNodeWorkers().catch(() => ({ Worker: undefined }));
  return NodeWorker && ((program, listeners) => startNodeWorker(NodeWorker, program, listeners));
}

/** From a Blob: the only way that needs no permission, locally and by URL. */
function startWebWorker(program: string, { message, error }: Listeners): HostedWorker {
  const url = URL.createObjectURL(new Blob([program], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module" });
  worker.onmessage = ({ data }) => message(data);
  worker.onerror = (event) => {
    event.preventDefault();
    error(event.message || "the page's policy forbids them");
  };
  return {
    post: (data) => worker.postMessage(data),
    terminate() {
      worker.terminate();
      URL.revokeObjectURL(url);
    },
  };
}

/** Gives a thread of Node what the program of a web worker expects. */
const NODE_SCOPE = `const { parentPort } = require("node:worker_threads");
globalThis.postMessage = (message) => parentPort.postMessage(message);
globalThis.close = () => parentPort.close();
parentPort.on("message", (data) => globalThis.onmessage({ data }));
`;

type NodeWorkers = Awaited<ReturnType<typeof loadNodeWorkers>>;

function startNodeWorker(
  NodeWorker: NodeWorkers["Worker"],
  program: string,
  { message, error }: Listeners,
): HostedWorker {
  const worker = new NodeWorker(NODE_SCOPE + program, { eval: true });
  worker.on("message", message);
  worker.on("error", (reason: Error) => error(reason.message));
  return { post: (data) => worker.postMessage(data), terminate: () => void worker.terminate() };
}
