/** What the page and its worker say to each other. All that the page shows is made in the worker, as HTML. */

/** To the worker. */
export type ToWorker =
  /** Files to train on, or the name of a sample. */
  | { readonly type: "open"; readonly files?: readonly File[]; readonly sample?: string }
  /** A field of the form has another text; "" for none. */
  | { readonly type: "set"; readonly field: string; readonly text: string }
  | { readonly type: "train" }
  | { readonly type: "pause" }
  | { readonly type: "resume" }
  | { readonly type: "stop" }
  /** Fewer moving pictures are wanted. */
  | { readonly type: "calm"; readonly calm: boolean }
  /** A file of the result is wanted. */
  | { readonly type: "file"; readonly name: string };

/** Where on the page HTML goes: ids of elements. */
export type Region =
  | "data"
  | "form"
  | "error"
  | "tiles"
  | "curves"
  | "classes"
  | "examples"
  | "notes"
  | "files"
  | "command";

/** What the page is about to do, or does. */
export type Phase = "empty" | "reading" | "ready" | "refused" | "training" | "paused" | "ended";

/** To the page. */
export type FromWorker =
  | { readonly type: "phase"; readonly phase: Phase; readonly said: string }
  | { readonly type: "put"; readonly region: Region; readonly html: string }
  | { readonly type: "progress"; readonly share: number; readonly said: string }
  | { readonly type: "file"; readonly name: string; readonly blob: Blob }
  /** The field that is wrong, by its id. */
  | { readonly type: "wrong"; readonly field: string | undefined };
