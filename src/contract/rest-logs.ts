// A try's log in the REST API: pages of JSON with a token to go on from, or everything so far as NDJSON.

import { z } from "zod";
import { instant, mapIndexQuery, queryBoolean } from "./rest.ts";

export const NDJSON_TYPE = "application/x-ndjson";

export const logQuery = z.strictObject({
  map_index: mapIndexQuery,
  /** Goes on behind the page that gave this token. */
  token: z.string().max(100).optional(),
  /** As many lines as one answer may hold, in place of a page. */
  full_content: queryBoolean.default(false),
});

export const logLineAnswer = z
  .object({
    timestamp: instant,
    level: z.string(),
    event: z.string(),
    /** The attempt that wrote it, by its epoch, and its number there. */
    attempt: z.int(),
    seq: z.int(),
  })
  .meta({ id: "LogLine" });
export type LogLineAnswer = z.infer<typeof logLineAnswer>;

export const logAnswer = z
  .object({
    content: z.array(logLineAnswer),
    /** null: nothing will follow. Otherwise ask again with it, at once after a full page, else after a while. */
    continuation_token: z.string().nullable(),
  })
  .meta({ id: "TaskLog" });
export type LogAnswer = z.infer<typeof logAnswer>;
