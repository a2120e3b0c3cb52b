// `windlass tasks …` and `windlass runs …`: clear, mark, cancel and run again, through the REST API. What changes is printed
// the same for a preview as when it is done.

import { changesAnswer, type ChangesAnswer, rerunAnswer } from "../../contract/rest-interventions.ts";
import { failure, messageOf } from "../../core/errors.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import type { RestClient } from "../rest-client.ts";

export interface Place {
  dagId: string;
  runId: string;
}

export interface Reach {
  upstream?: boolean;
  downstream?: boolean;
  past?: boolean;
  future?: boolean;
}

export interface Manner {
  dryRun?: boolean;
  output: "text" | "json";
}

const runPath = ({ dagId, runId }: Place) =>
  `/api/v2/dags/${encodeURIComponent(dagId)}/dagRuns/${encodeURIComponent(runId)}`;

const includes = (reach: Reach) => ({
  include_upstream: reach.upstream ?? false,
  include_downstream: reach.downstream ?? false,
  include_past: reach.past ?? false,
  include_future: reach.future ?? false,
});

export interface ClearOptions extends Reach, Manner {
  onlyFailed?: boolean;
  onlyRunning?: boolean;
  latest?: boolean;
}

export async function clearTasks(
  client: RestClient,
  place: Place,
  tasks: string[],
  options: ClearOptions,
): Promise<string> {
  const body = {
    dry_run: options.dryRun ?? false,
    dag_run_id: place.runId,
    task_ids: tasks.map(parseTask),
    only_failed: options.onlyFailed ?? false,
    only_running: options.onlyRunning ?? false,
    ...includes(options),
    run_on_latest_version: options.latest ?? false,
  };
  const path = `/api/v2/dags/${encodeURIComponent(place.dagId)}/clearTaskInstances`;
  return describe(await client.post(path, body, changesAnswer), options.output);
}

export async function clearRun(client: RestClient, place: Place, options: ClearOptions): Promise<string> {
  const { dryRun = false, onlyFailed = false, latest = false } = options;
  const body = { dry_run: dryRun, only_failed: onlyFailed, run_on_latest_version: latest };
  return describe(await client.post(`${runPath(place)}/clear`, body, changesAnswer), options.output);
}

export interface MarkOptions extends Reach, Manner {
  as: string;
}

export async function markTask(client: RestClient, place: Place, task: string, options: MarkOptions): Promise<string> {
  const body = { new_state: options.as, ...includes(options) };
  const path = `${instancePath(place, task)}${options.dryRun === true ? "/dry_run" : ""}`;
  return describe(await client.patch(withIndex(path, task), body, changesAnswer), options.output);
}

export async function cancelTask(client: RestClient, place: Place, task: string, options: Manner): Promise<string> {
  const path = withIndex(`${instancePath(place, task)}/cancel`, task);
  return describe(await client.post(path, { dry_run: options.dryRun ?? false }, changesAnswer), options.output);
}

export async function cancelRun(client: RestClient, place: Place, options: Manner): Promise<string> {
  const body = { dry_run: options.dryRun ?? false };
  const answer = await client.post(`${runPath(place)}/cancel`, body, changesAnswer);
  const goesOn = options.output !== "json" && answer.dag_runs.length === 0;
  return describe(answer, options.output) + (goesOn ? "\nthe run fails once its teardowns have ended" : "");
}

export interface RerunOptions extends Manner {
  conf?: string;
  result?: string[];
  runId?: string;
  latest?: boolean;
}

export async function rerunFrom(
  client: RestClient,
  place: Place,
  tasks: string[],
  options: RerunOptions,
): Promise<string> {
  const body = {
    dry_run: options.dryRun ?? false,
    task_ids: tasks,
    new_dag_run_id: options.runId ?? null,
    conf: options.conf === undefined ? null : parseJson("--conf", options.conf),
    results: Object.fromEntries((options.result ?? []).map(parseResult)),
    run_on_latest_version: options.latest ?? false,
  };
  const answer = await client.post(`${runPath(place)}/rerun`, body, rerunAnswer);
  if (options.output === "json") return JSON.stringify(answer, null, 2);
  const run = answer.dag_run === null ? "a preview: nothing was done" : `run ${answer.dag_run.dag_run_id}`;
  return [
    `${run} (version ${answer.version_number})`,
    ...answer.taken_over.map(({ task_id, state, instances }) =>
      instances === null
        ? `  taken over  ${task_id} (${state})`
        : `  taken over  ${task_id} (${state}, ${instances} instances)`,
    ),
    ...answer.executed.map((taskId) => `  executed    ${taskId}`),
  ].join("\n");
}

/** "load" or, one instance of a mapped task, "load[3]". */
function parseTask(text: string): string | [string, number] {
  const [, id, index] = /^(.+)\[(\d+)\]$/.exec(text) ?? [];
  return id === undefined ? text : [id, Number(index)];
}

function instancePath(place: Place, task: string): string {
  const parsed = parseTask(task);
  return `${runPath(place)}/taskInstances/${encodeURIComponent(typeof parsed === "string" ? parsed : parsed[0])}`;
}

function withIndex(path: string, task: string): string {
  const parsed = parseTask(task);
  return typeof parsed === "string" ? path : `${path}?map_index=${parsed[1]}`;
}

function parseResult(text: string): [string, Json] {
  const at = text.indexOf("=");
  if (at < 1) throw failure("invalid_request", `--result is "${text}": write --result TASK=JSON`);
  return [text.slice(0, at), parseJson("--result", text.slice(at + 1))];
}

function parseJson(option: string, text: string): JsonObject | Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw failure("invalid_request", `${option} is not JSON: ${messageOf(error)}`, { cause: error });
  }
}

function describe(answer: ChangesAnswer, output: Manner["output"]): string {
  if (output === "json") return JSON.stringify(answer, null, 2);
  const changes = answer.task_instances.map((one) => {
    const name = one.map_index === -1 ? one.task_id : `${one.task_id}[${one.map_index}]`;
    const ends = one.ends_attempt ? ", its attempt ends" : "";
    return `  ${one.dag_run_id}  ${name}: ${one.state ?? "none"} → ${one.new_state ?? "none"}${ends}`;
  });
  const runs = answer.dag_runs.flatMap((run) => [
    ...(run.state === run.new_state ? [] : [`  ${run.dag_run_id}: ${run.state} → ${run.new_state}`]),
    ...(run.moves_version ? [`  ${run.dag_run_id}: moves to the newest version`] : []),
    ...run.added_tasks.map((taskId) => `  ${run.dag_run_id}  ${taskId}: added`),
  ]);
  const lines = [...runs, ...changes];
  const head = lines.length === 0 ? "nothing changes" : answer.dry_run ? "would change:" : "changed:";
  return [head, ...lines].join("\n");
}
