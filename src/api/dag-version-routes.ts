// The versions of a DAG's code, and what each one changed.

import {
  versionDetailsAnswer,
  type VersionEntry,
  versionPath,
  versionsAnswer,
  versionsQuery,
} from "../contract/rest-dag-versions.ts";
import { dagPath } from "../contract/rest-dags.ts";
import { emptyQuery } from "../contract/rest-task-instances.ts";
import { diffDags } from "../core/diff-dag.ts";
import { failure } from "../core/errors.ts";
import { listDagVersions, readVersionPair } from "../store/read-dag-versions.ts";
import type { VersionRow } from "../store/read-dag-runs.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { requireDag } from "./require-rows.ts";

const tags = ["DagVersion"];

export function addDagVersionRoutes(app: ApiServer, { db }: ApiOptions): void {
  app.get(
    "/dags/:dag_id/dagVersions",
    {
      schema: {
        tags,
        operationId: "get_dag_versions",
        summary: "List the versions of a DAG, the newest first",
        params: dagPath,
        querystring: versionsQuery,
        response: { 200: versionsAnswer },
      },
    },
    async ({ params, query }) => {
      const page = await listDagVersions(db, params.dag_id, query);
      if (page.total === 0) await requireDag(db, params.dag_id);
      return { dag_versions: page.rows.map((row) => presentEntry(params.dag_id, row)), total_entries: page.total };
    },
  );

  app.get(
    "/dags/:dag_id/dagVersions/:version_number",
    {
      schema: {
        tags,
        operationId: "get_dag_version",
        summary: "Show a version: its definition, and what it changed in the one before it",
        params: versionPath,
        querystring: emptyQuery,
        response: { 200: versionDetailsAnswer },
      },
    },
    async ({ params: { dag_id, version_number } }) => {
      const [version, before] = await readVersionPair(db, dag_id, version_number);
      if (!version || version.version_number !== version_number)
        throw failure("not_found", `DAG "${dag_id}" has no version ${version_number}`);
      return {
        ...presentEntry(dag_id, version),
        changes: before ? diffDags(before.definition, version.definition) : null,
        definition: version.definition,
      };
    },
  );
}

function presentEntry(dagId: string, row: VersionRow): VersionEntry {
  return {
    id: row.version_id,
    version_number: row.version_number,
    dag_id: dagId,
    dag_display_name: dagId,
    bundle_version: row.bundle_hash,
    created_at: row.version_created_at.toISOString(),
  };
}
