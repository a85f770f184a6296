/**
 * The formats of pairs, and how to read them.
 *
 * @module
 */

/** Formats that pairs come in. */
export type PairFormat = "text" | "csv" | "jsonl" | "json";

/** All of them. */
export const PAIR_FORMATS: readonly PairFormat[] = ["text", "csv", "jsonl", "json"];

/** How to read pairs. */
export interface PairReadOptions {
  /** The format. Default: by the name's ending, and by the first byte: "{" and "[" begin JSON; else lines with a tab. */
  format?: PairFormat;
  /** csv: the column of sources, by name or number from 0. Default: source, src, x, or the first of two columns. */
  sourceColumn?: string;
  /** csv: that of targets. Default: target, tgt, y, or the second of two columns. */
  targetColumn?: string;
  /** csv: what stands between cells. Default: as the first line shows. */
  delimiter?: string;
  /** csv: whether the first line names the columns. Default true. */
  header?: boolean;
  /** csv: "none" where quotation marks are text like any other. */
  quote?: '"' | "none";
  /** Encoding of the text. Default UTF-8, or UTF-16 with its mark. */
  encoding?: string;
  /**
   * Whether targets may be missing, lines without a source stay, and one that cannot be read has its `fault`, as for
   * prediction. Default false.
   */
  optionalTargets?: boolean;
}
