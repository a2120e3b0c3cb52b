// Findings in definitions that are valid and nearly always not what their author meant. Pure.

import type { DagDefinition, TaskDefinition } from "../core/definition.ts";
import type { FINDINGS } from "./finding.ts";

export interface DefinitionFinding {
  code: keyof typeof FINDINGS;
  message: string;
  /** Texts by which its line is found in the file, the nearest first. */
  near: string[];
}

const WAITS_FOR_NOTHING = new Set(["all_success", "always"]);
const SECRET_NAME = /(password|passwd|passphrase|secret|token|api_?key|access_?key|private_?key)$/i;
/** Shorter texts are placeholders more often than secrets. */
const SHORTEST_SECRET = 4;

export function judgeDefinition(definition: DagDefinition): DefinitionFinding[] {
  const { dag_id } = definition;
  return [...judgeCatchup(definition), ...definition.tasks.flatMap((task) => judgeTask(dag_id, task))];
}

function judgeCatchup({ dag_id, catchup, schedule, start_date }: DagDefinition): DefinitionFinding[] {
  if (!catchup) return [];
  if (schedule === null) {
    const message = `DAG "${dag_id}" has catchup and no schedule; take catchup out, or give it a schedule`;
    return [{ code: "catchup_without_schedule", message, near: [dag_id] }];
  }
  if (start_date !== null) return [];
  const message = `DAG "${dag_id}" has catchup and no start, so no run before its first sight is made; give it a start`;
  return [{ code: "catchup_without_start", message, near: [dag_id] }];
}

function judgeTask(dagId: string, task: TaskDefinition): DefinitionFinding[] {
  const found: DefinitionFinding[] = listSecrets(task).map(({ name, value }) => ({
    code: "secret_literal",
    message: `task "${task.task_id}" has the value of ${name} in the file; declare a variable or a connection, or take it from a Secret`,
    near: [value, name, task.task_id],
  }));
  if (task.upstream.length === 0 && !WAITS_FOR_NOTHING.has(task.trigger_rule)) {
    const message = `task "${task.task_id}" has the rule ${task.trigger_rule}, but nothing comes before it; take the rule out, or put the task in order`;
    found.push({ code: "rule_without_upstream", message, near: [task.task_id, dagId] });
  }
  return found;
}

interface NamedText {
  name: string;
  value: string;
}

/** Texts that are called as secrets are, wherever in the task they are written. */
function listSecrets(task: TaskDefinition): NamedText[] {
  const found = new Map<string, NamedText>();
  walk(task, (name, value) => {
    const isReference = value.startsWith("/") || value.includes("$(");
    if (SECRET_NAME.test(name) && value.length >= SHORTEST_SECRET && !isReference)
      found.set(`${name}=${value}`, { name, value });
  });
  return [...found.values()];
}

function walk(value: unknown, see: (name: string, text: string) => void): void {
  if (Array.isArray(value)) return value.forEach((item) => walk(item, see));
  if (typeof value !== "object" || value === null) return;
  const fields = Object.entries(value);
  // Kubernetes' { name, value } and an input's { kind: "value", value }.
  const named: { name?: unknown; value?: unknown } = value;
  if (typeof named.name === "string" && typeof named.value === "string") see(named.name, named.value);
  for (const [name, field] of fields) {
    if (typeof field === "string") see(name, field);
    else if (isLiteral(field)) see(name, field.value);
    else walk(field, see);
  }
}

function isLiteral(field: unknown): field is { kind: "value"; value: string } {
  return (
    typeof field === "object" &&
    field !== null &&
    "kind" in field &&
    field.kind === "value" &&
    "value" in field &&
    typeof field.value === "string"
  );
}
