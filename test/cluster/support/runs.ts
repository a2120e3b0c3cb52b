// Triggers runs and follows them through the REST API, as a user would.

import { z } from "zod";
import type { RestClient } from "../../../src/cli/rest-client.ts";
import { type DagRunAnswer, dagRunAnswer } from "../../../src/contract/rest-dag-runs.ts";
import { logAnswer } from "../../../src/contract/rest-logs.ts";
import { type TaskInstanceAnswer, taskInstancesAnswer } from "../../../src/contract/rest-task-instances.ts";
import { isFailure } from "../../../src/core/errors.ts";
import type { RunState } from "../../../src/core/states.ts";
import { pollUntil } from "./poll.ts";

export interface FinishedRun {
  run: DagRunAnswer;
  tasks: TaskInstanceAnswer[];
}

const DAG_LIMIT_MS = 30_000;
const RUN_LIMIT_MS = 180_000;

/** Until the API knows the DAG, whose file may still be on its way through the parser. */
export async function waitForDag(rest: RestClient, dagId: string): Promise<void> {
  const isThere = () =>
    rest.get(`/api/v2/dags/${dagId}`, z.object({})).then(
      () => true,
      (error: unknown) => {
        if (isFailure(error, "not_found")) return false;
        throw error;
      },
    );
  await pollUntil(
    isThere,
    (there) => there,
    () => `there is no DAG ${dagId}`,
    DAG_LIMIT_MS,
  );
}

/** Returns the run's id. */
export async function triggerRun(rest: RestClient, dagId: string, conf: Record<string, unknown> = {}): Promise<string> {
  const { dag_run_id } = await rest.post(`/api/v2/dags/${dagId}/dagRuns`, { conf }, dagRunAnswer);
  return dag_run_id;
}

/** Until the run is in one of the states. An API that is away meanwhile is asked again. */
export async function waitForRun(
  rest: RestClient,
  dagId: string,
  runId: string,
  states: readonly RunState[] = ["success", "failed"],
  limitMs = RUN_LIMIT_MS,
): Promise<FinishedRun> {
  const path = `/api/v2/dags/${dagId}/dagRuns/${encodeURIComponent(runId)}`;
  const ask = () =>
    rest.get(path, dagRunAnswer).catch((error: unknown) => {
      if (isFailure(error, "unavailable")) return null;
      throw error;
    });
  const run = await pollUntil(
    ask,
    (answer) => answer !== null && states.includes(answer.state),
    (answer) =>
      `run ${runId} of ${dagId} is ${answer === null ? "out of sight: the API does not answer" : answer.state}`,
    limitMs,
  );
  if (run === null) throw new Error("a run that fits is never null");
  return { run, tasks: await listTasks(rest, dagId, runId) };
}

export async function listTasks(rest: RestClient, dagId: string, runId: string): Promise<TaskInstanceAnswer[]> {
  const path = `/api/v2/dags/${dagId}/dagRuns/${encodeURIComponent(runId)}/taskInstances?limit=1000`;
  return (await rest.get(path, taskInstancesAnswer)).task_instances;
}

/** All that an attempt's tries have written so far, a line each. */
export async function readLog(
  rest: RestClient,
  dagId: string,
  runId: string,
  taskId: string,
  tryNumber: number,
): Promise<string> {
  const path = `/api/v2/dags/${dagId}/dagRuns/${encodeURIComponent(runId)}/taskInstances/${taskId}/logs/${tryNumber}?full_content=true`;
  return (await rest.get(path, logAnswer)).content.map(({ event }) => event).join("\n");
}
