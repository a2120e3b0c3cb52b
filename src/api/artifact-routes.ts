// Files of tasks, as people read them.

import { Readable } from "node:stream";
import { artifactContentPath, artifactsAnswer, artifactsQuery } from "../contract/rest-artifacts.ts";
import { taskInstancePath } from "../contract/rest-task-instances.ts";
import { failure } from "../core/errors.ts";
import { listArtifacts } from "../store/artifacts.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { requireInstance } from "./require-rows.ts";

const tags = ["Artifact"];
const LIST = "/dags/:dag_id/dagRuns/:dag_run_id/taskInstances/:task_id/artifacts";

export function addArtifactRoutes(app: ApiServer, { db, objects }: ApiOptions): void {
  app.get(
    LIST,
    {
      schema: {
        tags,
        operationId: "get_artifacts",
        summary: "List a task's files, of all its attempts",
        params: taskInstancePath,
        querystring: artifactsQuery,
        response: { 200: artifactsAnswer },
      },
    },
    async ({ params, query }) => {
      const instance = await requireInstance(db, { ...params, map_index: query.map_index });
      const rows = await listArtifacts(db, instance.id);
      const artifacts = rows.map(({ artifact_id, name, media_type, size, created_at, attempt }) => ({
        artifact_id,
        name,
        media_type,
        size,
        created_at: created_at.toISOString(),
        attempt,
      }));
      return { artifacts, total_entries: artifacts.length };
    },
  );

  app.get(
    `${LIST}/:artifact_id/content`,
    {
      schema: {
        tags,
        operationId: "get_artifact_content",
        summary: "Download a file",
        params: artifactContentPath,
        querystring: artifactsQuery,
      },
    },
    async ({ params, query }, reply) => {
      const instance = await requireInstance(db, { ...params, map_index: query.map_index });
      const found = (await listArtifacts(db, instance.id)).find((row) => row.artifact_id === params.artifact_id);
      if (!found) {
        throw failure("not_found", `task instance "${params.task_id}" has no artifact ${params.artifact_id}`);
      }
      const bytes = await objects.get(found.object_key);
      return reply
        .header("content-length", found.size)
        .header("content-disposition", `attachment; filename*=UTF-8''${encodeURIComponent(found.name)}`)
        .type(found.media_type)
        .send(Readable.from(bytes, { objectMode: false }));
    },
  );
}
