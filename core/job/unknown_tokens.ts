/** Tokens that a model was never shown: counted, and said in a line. */

import type { PairPipeline } from "../data/pair_pipeline.ts";
import type { PairRecord } from "../data/pair_records.ts";
import { plural } from "./words.ts";

/** Most tokens that are named. */
const NAMED = 5;

/** Sources or targets with tokens that training never showed. */
export class UnknownTokens {
  readonly #pipeline: PairPipeline;
  readonly #side: "source" | "target";
  readonly #found = new Set<string>();
  #count = 0;
  #first = "";

  constructor(pipeline: PairPipeline, records: readonly PairRecord[] = [], side: "source" | "target" = "source") {
    this.#pipeline = pipeline;
    this.#side = side;
    for (const record of records) this.add(record);
  }

  /** Looks at a record. */
  add({ place, ...record }: PairRecord): void {
    const text = record[this.#side], strange = text === undefined ? [] : this.#pipeline.unknown(this.#side, text);
    if (!strange.length) return;
    if (!this.#count++) this.#first = place;
    for (const token of strange) this.#found.add(token);
  }

  /** How many records, where the first stands and some of the tokens; undefined where there are none. */
  get line(): string | undefined {
    if (!this.#count) return undefined;
    const records = plural(this.#count, this.#side);
    return `${records} with tokens that training never showed, first ${this.#first}: ${this.#shown}`;
  }

  /**
   * Refuses what there are.
   *
   * @throws {Error} With how many tokens, and some of them.
   */
  refuse(): void {
    const { size } = this.#found;
    if (!size) return;
    throw new Error(
      `cannot start: the model does not know ${plural(size, "token")} of the ${this.#side}s, first ${this.#first}: ` +
        `${this.#shown}: --unknown-tokens takes them as unknown`,
    );
  }

  get #shown(): string {
    const shown = [...this.#found].slice(0, NAMED).map((token) => JSON.stringify(token)).join(", ");
    return `${shown}${this.#found.size > NAMED ? ", …" : ""}`;
  }
}
