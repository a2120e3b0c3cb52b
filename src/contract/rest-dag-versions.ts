// The versions of a DAG's code in the REST API.

import { z } from "zod";
import type { DagDefinition } from "../core/definition.ts";
import { freeJson, instant, pageQuery, queryInteger } from "./rest.ts";

const versionFields = {
  id: z.int(),
  version_number: z.int(),
  dag_id: z.string(),
  dag_display_name: z.string(),
  /** The code's content hash. */
  bundle_version: z.string(),
  created_at: instant,
};

export const versionsQuery = z.strictObject(pageQuery);
export const versionPath = z.strictObject({ dag_id: z.string(), version_number: queryInteger(1, 2 ** 31 - 1) });

const versionEntry = z.object(versionFields).meta({ id: "DagVersion" });
export type VersionEntry = z.infer<typeof versionEntry>;
export const versionsAnswer = z
  .object({ dag_versions: z.array(versionEntry), total_entries: z.int() })
  .meta({ id: "DagVersionCollection" });

const fieldChange = z.object({ field: z.string(), from: freeJson, to: freeJson });
const dagDiffAnswer = z
  .object({
    same: z.boolean(),
    tasks_added: z.array(z.string()),
    tasks_removed: z.array(z.string()),
    tasks_changed: z.array(
      z.object({
        task_id: z.string(),
        fields: z.array(fieldChange),
        upstream_added: z.array(z.string()),
        upstream_removed: z.array(z.string()),
      }),
    ),
    /** Of the DAG itself. */
    fields: z.array(fieldChange),
  })
  .meta({ id: "DagDiff" });

export const versionDetailsAnswer = z
  .object({
    ...versionFields,
    /** What it changed in the version before it; null: there is none, or none that is kept. */
    changes: dagDiffAnswer.nullable(),
    /** All of it, as the author's file gave it. */
    definition: z.custom<DagDefinition>(() => true),
  })
  .meta({ id: "DagVersionDetails" });
