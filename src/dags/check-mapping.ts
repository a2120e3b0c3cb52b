// What maps, groups, setups and teardowns of a definition must mean to each other.

import type { DagDefinition, Expression, TaskDefinition } from "../core/definition.ts";
import type { FieldError } from "../core/errors.ts";
import { indexDag } from "../core/graph.ts";
import { listResultsIn } from "../core/inputs.ts";
import { findMap, listItemNames } from "../core/mapping.ts";

/** The path of a fault begins at the DAG. */
export function findMappingFaults(dag: DagDefinition): (FieldError & { task_id?: string })[] {
  const graph = indexDag(dag);
  return [
    ...findGroupFaults(dag),
    ...dag.tasks.flatMap((task) => {
      const map = findMap(graph, task.task_id)?.map ?? null;
      const isMember = graph.expandedBy.has(task.task_id);
      const names = new Set(map?.over.map(({ name }) => name));
      return [
        ...findItemFaults(task, task.kind === "expand" ? new Set<string>() : names),
        ...findMapFaults(task, isMember),
        ...findRoleFaults(task),
      ].map((fault) => ({ ...fault, task_id: task.task_id, path: `task "${task.task_id}".${fault.path}` }));
    }),
  ];
}

function findGroupFaults(dag: DagDefinition): FieldError[] {
  const faults: FieldError[] = [];
  const known = new Set<string>();
  const mapped = new Set<string>();
  for (const { group_id, parent } of dag.groups ?? []) {
    const path = `group "${group_id}"`;
    if (known.has(group_id)) faults.push({ path, message: "is there twice" });
    if (parent !== undefined && !known.has(parent)) {
      faults.push({ path: `${path}.parent`, message: `there is no group "${parent}" before it` });
    }
    const isInside = parent !== undefined && mapped.has(parent);
    const isMapped = dag.tasks.some((task) => task.task_id === group_id && task.kind === "expand");
    if (isInside && isMapped) faults.push({ path, message: "is mapped inside of a mapped group" });
    if (isInside || isMapped) mapped.add(group_id);
    known.add(group_id);
  }
  for (const { task_id, group, kind } of dag.tasks) {
    if (group !== undefined && !known.has(group)) {
      faults.push({ path: `task "${task_id}".group`, message: `there is no group "${group}"` });
    }
    if (kind === "expand" && !known.has(task_id)) {
      faults.push({ path: `task "${task_id}"`, message: "expands a group that is not there" });
    }
  }
  return faults;
}

function findItemFaults(task: TaskDefinition, names: ReadonlySet<string>): FieldError[] {
  return Object.entries(task.inputs).flatMap(([input, expression]) =>
    listItemNames(expression)
      .filter((name) => !names.has(name))
      .map((name) => ({ path: `inputs.${input}`, message: `uses the item "${name}", over which it is not mapped` })),
  );
}

function findMapFaults(task: TaskDefinition, isMember: boolean): FieldError[] {
  const { map } = task;
  if (!map)
    return task.kind === "expand" ? [{ path: "map", message: "is missing, and a group is expanded by one" }] : [];
  const faults: FieldError[] = [];
  if (isMember) faults.push({ path: "map", message: "is inside of a mapped group, whose tasks are mapped already" });
  const names = map.over.map(({ name }) => name);
  if (new Set(names).size < names.length) faults.push({ path: "map.over", message: "has a name twice" });
  for (const { name, array } of map.over) {
    for (const used of listResultsIn([array])) {
      if (task.upstream.includes(used)) continue;
      faults.push({
        path: `map.over.${name}`,
        message: `uses the result of "${used}", which is not upstream of the task`,
      });
    }
    if (listItemNames(array).length > 0) faults.push({ path: `map.over.${name}`, message: "uses an item" });
  }
  const isNamed = !map.label || listParts(map.label).every((part) => part.kind === "item" || part.kind === "value");
  const unknown = listItemNames(map.label).find((name) => !names.includes(name));
  if (!isNamed || unknown !== undefined) {
    faults.push({ path: "map.label", message: "must be made of items of the map, and of text" });
  }
  return faults;
}

function listParts(expression: Expression): Expression[] {
  return expression.kind === "array" ? expression.items : [expression];
}

function findRoleFaults({ role, fails_run, trigger_rule }: TaskDefinition): FieldError[] {
  const faults: FieldError[] = [];
  if (fails_run !== undefined && role !== "teardown")
    faults.push({ path: "fails_run", message: "belongs to teardowns" });
  if (role === "teardown" && trigger_rule !== "all_done_setup_success") {
    faults.push({ path: "trigger_rule", message: "of a teardown must be all_done_setup_success" });
  }
  return faults;
}
