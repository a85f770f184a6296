/** Runs jobs on several workers, as processes that train together. */

import { sharedBy } from "./shared_fleet.ts";
import type { Order } from "./worker.ts";

/** What a job says in each of the processes. */
export async function runTogether(job: string, size: number, threads: number): Promise<string[]> {
  const shared = sharedBy(size);
  const workers = Array.from(
    { length: size },
    () => new Worker(new URL("./worker.ts", import.meta.url), { type: "module" }),
  );
  try {
    return await Promise.all(workers.map((worker, rank) =>
      new Promise<string>((resolve, reject) => {
        worker.onmessage = ({ data: { result, error } }) => error ? reject(new Error(error)) : resolve(result);
        worker.onerror = (event) => reject(new Error(event.message));
        worker.postMessage({ shared, rank, threads, job } satisfies Order);
      })
    ));
  } finally {
    for (const worker of workers) worker.terminate();
  }
}
