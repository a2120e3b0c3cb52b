// The installation itself in the REST API: sign-in, version, health, and what is wrong in the dags folder.

import { z } from "zod";
import { instant, orderByQuery, pageQuery, patternQuery, queryInteger } from "./rest.ts";

export const TOKEN_PATH = "/auth/token";

export const tokenRequest = z
  .strictObject({ username: z.string().max(250), password: z.string().max(1_000) })
  .meta({ id: "TokenRequest" });
export const tokenAnswer = z
  .object({
    access_token: z.string(),
    token_type: z.literal("bearer"),
    /** Seconds. */
    expires_in: z.int(),
  })
  .meta({ id: "Token" });
export type TokenAnswer = z.infer<typeof tokenAnswer>;

export const versionAnswer = z
  .object({ version: z.string(), git_version: z.string().nullable() })
  .meta({ id: "Version" });

/** null: this installation has no such component. */
const healthStatus = z.enum(["healthy", "unhealthy"]).nullable();
export const healthAnswer = z
  .object({
    metadatabase: z.object({ status: healthStatus }),
    scheduler: z.object({ status: healthStatus, latest_scheduler_heartbeat: instant.nullable() }),
    triggerer: z.object({ status: healthStatus, latest_triggerer_heartbeat: instant.nullable() }),
    dag_processor: z.object({ status: healthStatus, latest_dag_processor_heartbeat: instant.nullable() }),
  })
  .meta({ id: "Health" });
export type HealthAnswer = z.infer<typeof healthAnswer>;

const IMPORT_ERROR_ORDER_FIELDS = ["import_error_id", "timestamp", "filename"] as const;
export const importErrorsQuery = z.strictObject({
  ...pageQuery,
  filename_pattern: patternQuery,
  order_by: orderByQuery(IMPORT_ERROR_ORDER_FIELDS),
});
export const importErrorPath = z.strictObject({ import_error_id: queryInteger(0, Number.MAX_SAFE_INTEGER) });
export const importErrorAnswer = z
  .object({
    import_error_id: z.int(),
    timestamp: instant,
    /** Inside the dags folder. */
    filename: z.string(),
    message: z.string(),
    line: z.int().nullable(),
    column: z.int().nullable(),
    stack_trace: z.string(),
  })
  .meta({ id: "ImportError" });
export type ImportErrorAnswer = z.infer<typeof importErrorAnswer>;
export const importErrorsAnswer = z
  .object({ import_errors: z.array(importErrorAnswer), total_entries: z.int() })
  .meta({ id: "ImportErrorCollection" });
