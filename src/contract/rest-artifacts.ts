// Files of tasks: what workers send and people read.

import { z } from "zod";
import type { Artifact } from "../core/artifact.ts";
import { instant, mapIndexQuery } from "./rest.ts";

const fileName = z
  .string()
  .min(1)
  .max(250)
  .regex(/^[^\p{C}/\\]+$/u, "a file's name holds no slashes and no control characters");
/** As in RFC 9110, without parameters' oddities. */
const mediaType = z
  .string()
  .max(200)
  .regex(/^[\w.+-]+\/[\w.+-]+(; ?[\w-]+=[\w.+"-]+)*$/, 'a media type is such as "text/csv"');

/** Of PUT /attempts/{attempt_id}/artifacts/{artifact_id}; the id is the worker's, so that a repeat is no second file. */
export const artifactUpload = z.strictObject({ name: fileName, media_type: mediaType });
export const artifactPath = z.strictObject({ attempt_id: z.uuid(), artifact_id: z.uuid() });

const artifactFields = {
  artifact_id: z.uuid(),
  name: z.string(),
  media_type: z.string(),
  /** Bytes. */
  size: z.int(),
};
export const artifact: z.ZodType<Artifact> = z.strictObject(artifactFields);

export const artifactsQuery = z.strictObject({ map_index: mapIndexQuery });
const artifactAnswer = z.object({ ...artifactFields, created_at: instant, attempt: z.int() }).meta({ id: "Artifact" });
export const artifactsAnswer = z
  .object({ artifacts: z.array(artifactAnswer), total_entries: z.int() })
  .meta({ id: "ArtifactCollection" });
export const artifactContentPath = z.strictObject({
  dag_id: z.string(),
  dag_run_id: z.string(),
  task_id: z.string(),
  artifact_id: z.uuid(),
});
