// People's interventions as tests make them, and the recount from scratch that a run's counters are held to.

import type { TaskDefinition, TriggerRule } from "../../src/core/definition.ts";
import type { ChosenTask } from "../../src/core/intervention.ts";
import type { MarkRequest } from "../../src/core/plan-mark.ts";
import { intervene, type Intervention } from "../../src/store/intervene.ts";
import { restartCleared } from "../../src/store/restart-cleared.ts";
import { dagOf, type StoreBundle, taskOf } from "./store-bundle.ts";

export interface Run {
  id: number;
  dag_id: string;
  dag_run_id: string;
}
export const ALONE = { upstream: false, downstream: false };
export const BELOW = { upstream: false, downstream: true };

let made = 0;
export async function begin(store: StoreBundle, tasks: ReturnType<typeof taskOf>[]): Promise<Run> {
  const dag_id = `dag${(made += 1)}`;
  await publish(store, { dag_id }, tasks);
  return { dag_id, ...(await store.trigger(dag_id)) };
}

let published = 0;
/** Another version of the DAG. */
export async function publish(
  store: StoreBundle,
  { dag_id }: Pick<Run, "dag_id">,
  tasks: TaskDefinition[],
): Promise<void> {
  const groups = [...new Set(tasks.flatMap(({ group }) => (group === undefined ? [] : [group])))];
  const definition = dagOf(dag_id, tasks, { groups: groups.map((group_id) => ({ group_id })) });
  await store.save(definition, `version${(published += 1)}`);
}

export function act(
  store: StoreBundle,
  run: Run,
  intervention: Intervention,
  more: { past?: boolean; future?: boolean; dry_run?: boolean } = {},
) {
  const { dag_id, dag_run_id } = run;
  const event = { event: "test", dag_id, owner: "ada" };
  const call = {
    dag_id,
    dag_run_id,
    past: false,
    future: false,
    dry_run: false,
    event,
    check: () => {},
    intervention,
    ...more,
  };
  return intervene(store.db, store.rules, call, store.now());
}

const choose = (ids: string[]): ChosenTask[] => ids.map((task_id) => ({ task_id, map_index: null }));
export const clear = (
  ids: string[] | null,
  spread = BELOW,
  more: { only_failed?: boolean; newest?: boolean } = {},
): Intervention => ({
  kind: "clear",
  newest: more.newest ?? false,
  request: {
    tasks: ids && choose(ids),
    ...spread,
    only_failed: more.only_failed ?? false,
    only_running: false,
    reason: "cleared by ada",
  },
});
export const mark = (ids: string[], as: MarkRequest["as"], spread = ALONE): Intervention => ({
  kind: "mark",
  request: { tasks: choose(ids), as, ...spread, reason: `${as} by ada` },
});

export async function restartAll(store: StoreBundle): Promise<void> {
  while ((await restartCleared(store.db, store.rules.versions, store.now())) !== null);
}

/** What the counters, the flags and the run say, against what they must be. */
export async function findFaults(store: StoreBundle, run: Run): Promise<unknown[]> {
  const { rows } = await store.db.query({
    text: `
      with defined as (
        select jsonb_array_elements(v.definition -> 'tasks') as t from dag_run r join dag_version v on v.id = r.version_id where r.id = $1),
      edge as (
        select t ->> 'task_id' as task_id, u as upstream, t ->> 'group' is not null and t ->> 'group' is not distinct from (
            select o.t ->> 'group' from defined o where o.t ->> 'task_id' = u) as is_same
        from defined, jsonb_array_elements_text(t -> 'upstream') u),
      truth as (
        select i.id, count(u.id) as total, count(*) filter (where u.counted and u.state = 'success') as success, count(*) filter (where u.counted and u.state = 'failed') as failed,
          count(*) filter (where u.counted and u.state = 'upstream_failed') as upstream_failed, count(*) filter (where u.counted and u.state = 'skipped') as skipped,
          count(*) filter (where u.counted and u.state = 'removed') as removed
        from task_instance i join edge e using (task_id) join task_instance u on u.run_id = $1 and u.task_id = e.upstream
          and (u.map_index < 0 or u.state is distinct from 'removed') and (not is_same or u.map_index = i.map_index)
        where i.run_id = $1 group by i.id)
      select i.task_id from task_instance i left join truth using (id) where i.run_id = $1 and i.state is distinct from 'removed'
        and (i.upstream_total, i.upstream_success, i.upstream_failed, i.upstream_upstream_failed, i.upstream_skipped, i.upstream_removed)
        is distinct from (coalesce(truth.total, 0), coalesce(truth.success, 0), coalesce(truth.failed, 0), coalesce(truth.upstream_failed, 0), coalesce(truth.skipped, 0), coalesce(truth.removed, 0))
      union all
      -- A task has an unexpanded instance or others, never both and never none; but none when it is not in the version.
      select task_id from task_instance where run_id = $1 group by task_id
        having (count(*) filter (where map_index < 0) > 0) = (count(*) filter (where map_index >= 0 and state is distinct from 'removed') > 0)
          and (task_id in (select t ->> 'task_id' from defined) or count(*) filter (where state is distinct from 'removed') > 0)
      union all
      -- Only maps and members of mapped groups have others.
      select i.task_id from task_instance i join defined on t ->> 'task_id' = i.task_id
        where run_id = $1 and map_index >= 0 and state is distinct from 'removed' and (t -> 'map' is null or t ->> 'kind' = 'expand')
          and t ->> 'group' is distinct from (select g.t ->> 'task_id' from defined g where g.t ->> 'kind' = 'expand' limit 1)
      union all
      select 'unfinished' from dag_run r where id = $1 and unfinished <> (
        select count(*) from task_instance where run_id = r.id
          and not (counted and coalesce(state, '') in ('success', 'failed', 'upstream_failed', 'skipped', 'removed')))`,
    values: [run.id],
  });
  return rows;
}

/** A map, a map over its results, and a group of two, all over the same rows. */
export function mappedTasks(rules: readonly TriggerRule[]): TaskDefinition[] {
  const over = (taskId: string) => ({
    over: [{ name: "item", array: { kind: "result" as const, task_id: taskId, path: [] } }],
  });
  const inputs = { item: { kind: "item" as const, name: "item", path: [] } };
  return [
    taskOf("rows"),
    taskOf("m", ["rows"], { inputs, map: over("rows") }),
    taskOf("n", ["m"], { inputs, map: over("m") }),
    taskOf("g", ["rows"], { kind: "expand", inputs: {}, map: over("rows") }),
    taskOf("g.a", [], { inputs, group: "g" }),
    taskOf("g.b", ["g.a"], { inputs: {}, group: "g" }),
    taskOf("end", ["n", "g.b"], { inputs: {} }),
  ].map((task, index) => (index === 0 ? task : { ...task, trigger_rule: rules[index - 1] ?? task.trigger_rule }));
}
