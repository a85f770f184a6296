/** A worker that runs jobs as one of several processes. */

import { JOBS } from "./jobs.ts";
import { type Shared, sharedFleet } from "./shared_fleet.ts";

/** What a worker is told. */
export interface Order {
  readonly shared: Shared;
  readonly rank: number;
  readonly threads: number;
  readonly job: string;
}

/** The scope of a worker, which the compiler takes for a window. */
const scope = self as unknown as {
  onmessage: (event: MessageEvent<Order>) => Promise<void>;
  postMessage(message: object): void;
};

scope.onmessage = async ({ data: { shared, rank, threads, job } }) => {
  const fleet = sharedFleet(shared, rank);
  try {
    scope.postMessage({ result: await JOBS[job]!({ fleet, threads }), spent: fleet.spent });
  } catch (error) {
    scope.postMessage({ error: (error as Error).stack });
  }
};
