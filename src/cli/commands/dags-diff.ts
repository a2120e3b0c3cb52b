// `windlass dags diff FILE`: what a changed file changes in a DAG, before it is deployed. The same comparison as the API's.

import { dagDetailsAnswer } from "../../contract/rest-dags.ts";
import { versionDetailsAnswer } from "../../contract/rest-dag-versions.ts";
import type { DagDefinition } from "../../core/definition.ts";
import { type DagDiff, diffDags, type FieldChange } from "../../core/diff-dag.ts";
import { isFailure } from "../../core/errors.ts";
import type { Json } from "../../core/json.ts";
import type { RestClient } from "../rest-client.ts";
import { loadDag } from "../load-dag.ts";

export interface DagsDiffOptions {
  file: string;
  /** Which DAG, when the file has several. */
  dagId: string | null;
  /** Compared with this DAG; null: the one of the same id. */
  against: string | null;
  /** null: the API's current version. */
  version: number | null;
  output: "text" | "json";
}

/** Prints the difference; returns the exit code: 0 none, 1 some. Errors: invalid_dag, invalid_request, not_found, those of the API. */
export async function diffDag(
  options: DagsDiffOptions,
  client: RestClient,
  print: (text: string) => void,
): Promise<number> {
  const { definition } = (await loadDag(options.file, options.dagId)).dag;
  const against = options.against ?? definition.dag_id;
  const before = await readDefinition(client, against, options.version);
  // Which DAG it is compared with is the caller's choice, and no change.
  const diff = diffDags(before && { ...before, dag_id: definition.dag_id }, definition);
  print(
    options.output === "json" ? JSON.stringify(diff, null, 2) : describeDiff(definition.dag_id, before !== null, diff),
  );
  return diff.same ? 0 : 1;
}

/** null: the API does not know the DAG. */
async function readDefinition(
  client: RestClient,
  dagId: string,
  version: number | null,
): Promise<DagDefinition | null> {
  const path = `/api/v2/dags/${encodeURIComponent(dagId)}`;
  let number = version;
  if (number === null) {
    try {
      number = (await client.get(`${path}/details`, dagDetailsAnswer)).version_number;
    } catch (error) {
      if (isFailure(error, "not_found")) return null;
      throw error;
    }
  }
  return (await client.get(`${path}/dagVersions/${number}`, versionDetailsAnswer)).definition;
}

function describeDiff(dagId: string, isKnown: boolean, diff: DagDiff): string {
  if (diff.same) return `${dagId}: nothing changes`;
  const lines = [
    ...diff.fields.map((change) => `  ~ ${sayChange(change)}`),
    ...diff.tasks_removed.map((id) => `  - task ${id}`),
    ...diff.tasks_added.map((id) => `  + task ${id}`),
    ...diff.tasks_changed.flatMap(({ task_id, fields, upstream_added, upstream_removed }) => [
      `  ~ task ${task_id}`,
      ...upstream_removed.map((id) => `      - edge ${id} → ${task_id}`),
      ...upstream_added.map((id) => `      + edge ${id} → ${task_id}`),
      ...fields.map((change) => `      ~ ${sayChange(change)}`),
    ]),
  ];
  return [`${dagId}${isKnown ? "" : ": the API does not have it yet"}`, ...lines].join("\n");
}

function sayChange({ field, from, to }: FieldChange): string {
  return `${field}: ${sayValue(from)} → ${sayValue(to)}`;
}

function sayValue(value: Json): string {
  return value === null ? "none" : JSON.stringify(value);
}
