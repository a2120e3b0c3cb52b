// The versions of a DAG as people see them, newest first.

import type { DagDefinition } from "../core/definition.ts";
import type { Queryable } from "./database.ts";
import { VERSION_COLUMNS, type VersionRow } from "./read-dag-runs.ts";
import { type Page, type PageSize, readPage } from "./read-page.ts";

export async function listDagVersions(db: Queryable, dagId: string, page: PageSize): Promise<Page<VersionRow>> {
  return readPage<VersionRow>(db, {
    columns: VERSION_COLUMNS,
    from: "dag_version v",
    conditions: [{ sql: "v.dag_id = $", value: dagId }],
    order: "v.version_number desc",
    ...page,
  });
}

export interface VersionWithDefinition extends VersionRow {
  definition: DagDefinition;
}

/** A version and the one before it, if they are still kept. */
export async function readVersionPair(
  db: Queryable,
  dagId: string,
  versionNumber: number,
): Promise<VersionWithDefinition[]> {
  const { rows } = await db.query<VersionWithDefinition>({
    name: "read_version_pair",
    text: `select ${VERSION_COLUMNS}, v.definition from dag_version v
      where v.dag_id = $1 and v.version_number <= $2 order by v.version_number desc limit 2`,
    values: [dagId, versionNumber],
  });
  return rows;
}
