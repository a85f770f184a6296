/** The version of this toolkit, the same as in deno.json. */
export const VERSION = "0.4.0";

/** The oldest Deno that the command line works with: locks that do not wait (`FsFile.tryLock`) came with it. */
export const OLDEST_DENO = "2.7.0";
