// What a version of a DAG says of assets, made current: which there are, which the DAG waits for, which its tasks produce.

import { listAssets, listAssetsOfDag } from "../core/asset-condition.ts";
import type { DagDefinition } from "../core/definition.ts";
import type { Queryable } from "./database.ts";

const DEFAULT_GROUP = "asset";

/** The DAG's row must be locked. */
export async function saveDagAssets(tx: Queryable, definition: DagDefinition, now: Date): Promise<void> {
  const { dag_id, assets: condition, tasks } = definition;
  const assets = [...new Map(listAssetsOfDag(definition).map((asset) => [asset.name, asset])).values()];
  await tx.query({
    text: `
      insert into asset (name, uri, "group", extra, created_at, updated_at)
      select name, uri, "group", extra::jsonb, $1, $1
      from unnest($2::text[], $3::text[], $4::text[], $5::text[]) as a (name, uri, "group", extra)
      -- In one order, so that two files with the same assets do not wait for each other.
      order by name
      on conflict (name) do update set uri = excluded.uri, "group" = excluded."group", extra = excluded.extra,
        updated_at = excluded.updated_at
      where (asset.uri, asset."group", asset.extra) is distinct from (excluded.uri, excluded."group", excluded.extra)`,
    values: [
      now,
      assets.map((asset) => asset.name),
      assets.map((asset) => asset.uri),
      assets.map((asset) => asset.group ?? DEFAULT_GROUP),
      assets.map((asset) => JSON.stringify(asset.extra ?? {})),
    ],
  });
  const waited = condition ? listAssets(condition).map((asset) => asset.name) : [];
  await tx.query({
    // What is pending of an asset that the DAG does not wait for any more goes with it; locked in the order of emitters.
    text: `
      with gone as (
        select dag_id, asset_id from dag_asset
        where dag_id = $1 and asset_id not in (select id from asset where name = any ($2)) order by asset_id for update)
      delete from dag_asset d using gone where d.dag_id = gone.dag_id and d.asset_id = gone.asset_id`,
    values: [dag_id, waited],
  });
  await tx.query({
    text: `insert into dag_asset (dag_id, asset_id, created_at) select $1, id, $3 from asset where name = any ($2)
      on conflict do nothing`,
    values: [dag_id, waited, now],
  });
  const outlets = tasks.flatMap((task) => (task.outlets ?? []).map(({ name }) => ({ task_id: task.task_id, name })));
  await tx.query({
    text: `
      delete from task_outlet o using asset a
      where o.dag_id = $1 and a.id = o.asset_id
        and not exists (select from unnest($2::text[], $3::text[]) as n (task_id, name)
          where n.task_id = o.task_id and n.name = a.name)`,
    values: [dag_id, outlets.map((outlet) => outlet.task_id), outlets.map((outlet) => outlet.name)],
  });
  await tx.query({
    text: `
      insert into task_outlet (dag_id, task_id, asset_id, created_at)
      select $1, n.task_id, a.id, $4 from unnest($2::text[], $3::text[]) as n (task_id, name) join asset a using (name)
      on conflict do nothing`,
    values: [dag_id, outlets.map((outlet) => outlet.task_id), outlets.map((outlet) => outlet.name), now],
  });
  await tx.query({
    text: "update dag set asset_condition = $2::jsonb where dag_id = $1 and asset_condition is distinct from $2::jsonb",
    values: [dag_id, condition ? JSON.stringify(condition) : null],
  });
}
