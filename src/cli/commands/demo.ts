// `windlass demo`: standalone with the examples; one of them runs on the data shipped beside it, and its tasks are shown.

import { styleText } from "node:util";
import { z } from "zod";
import { isFailure } from "../../core/errors.ts";
import { systemClock } from "../../lifecycle/clock.ts";
import type { Role } from "../compose.ts";
import { createRestClient, type RestClient } from "../rest-client.ts";
import { createStandalone } from "../standalone.ts";

const DAG = "penguins";
const POLL_MS = 100;
const LOAD_LIMIT_MS = 30_000;
const RUN_LIMIT_MS = 120_000;
const RESULT_WIDTH = 72;

const triggered = z.object({ dag_run_id: z.string() });
const run = z.object({ state: z.enum(["queued", "running", "success", "failed"]) });
const instances = z.object({
  task_instances: z.array(
    z.object({
      task_id: z.string(),
      state: z.string().nullable(),
      start_date: z.string().nullable(),
      duration: z.number().nullable(),
      reason: z.string().nullable(),
    }),
  ),
});
const result = z.object({ value: z.unknown() });
type Instance = z.output<typeof instances>["task_instances"][number];

/** Returns the exit code. */
export async function runDemo(role: Role, print: (text: string) => void): Promise<number> {
  const standalone = createStandalone(role);
  print("Starting Postgres, the API, the scheduler and the local executor …");
  await standalone.start();
  try {
    const client = createRestClient(standalone.address(), null);
    print(`Windlass serves on ${standalone.address()}, without sign-in: it listens on this machine only.`);
    await waitForDag(client);
    const { dag_run_id } = await client.post(`/api/v2/dags/${DAG}/dagRuns`, {}, triggered);
    print(`Triggered ${styleText("bold", DAG)}, run ${dag_run_id}\n`);
    const path = `/api/v2/dags/${DAG}/dagRuns/${encodeURIComponent(dag_run_id)}`;
    const state = await followRun(client, path, print);
    print(`\n${await describeTasks(client, path)}`);
    print(`\nThe run ended in ${state}.`);
    return state === "success" ? 0 : 1;
  } finally {
    await standalone.stop();
  }
}

async function waitForDag(client: RestClient): Promise<void> {
  const until = systemClock.monotonic() + LOAD_LIMIT_MS;
  for (;;) {
    try {
      await client.get(`/api/v2/dags/${DAG}`, z.object({}));
      return;
    } catch (error) {
      if (!isFailure(error, "not_found") || systemClock.monotonic() > until) throw error;
      await systemClock.sleep(POLL_MS);
    }
  }
}

/** Prints each change of a task's state until the run has ended. */
async function followRun(client: RestClient, path: string, print: (text: string) => void): Promise<string> {
  const until = systemClock.monotonic() + RUN_LIMIT_MS;
  const began = systemClock.monotonic();
  const shown = new Map<string, string | null>();
  for (;;) {
    // The run first: once it has ended, the tasks read after it are final.
    const { state } = await client.get(path, run);
    for (const task of await readTasks(client, path)) {
      if (shown.get(task.task_id) === task.state || task.state === null) continue;
      shown.set(task.task_id, task.state);
      const seconds = ((systemClock.monotonic() - began) / 1000).toFixed(1).padStart(6);
      print(`${styleText("dim", `${seconds} s`)}  ${colour(task.state, task.state.padEnd(12))} ${task.task_id}`);
    }
    if (state === "success" || state === "failed" || systemClock.monotonic() > until) return state;
    await systemClock.sleep(POLL_MS);
  }
}

async function readTasks(client: RestClient, path: string): Promise<Instance[]> {
  return (await client.get(`${path}/taskInstances?limit=100`, instances)).task_instances;
}

async function describeTasks(client: RestClient, path: string): Promise<string> {
  const tasks = (await readTasks(client, path)).toSorted((a, b) =>
    (a.start_date ?? "").localeCompare(b.start_date ?? ""),
  );
  const rows = await Promise.all(
    tasks.map(async (task) => [
      task.task_id,
      task.state ?? "waiting",
      task.duration === null ? "" : `${task.duration.toFixed(2)} s`,
      task.state === "success"
        ? await readResult(client, `${path}/taskInstances/${task.task_id}`)
        : (task.reason ?? ""),
    ]),
  );
  return formatTable(["task", "state", "duration", "result"], rows);
}

async function readResult(client: RestClient, path: string): Promise<string> {
  try {
    const { value } = await client.get(`${path}/xcomEntries/return_value`, result);
    return JSON.stringify(value);
  } catch (error) {
    // A task that has not run, an empty one, has no result.
    if (isFailure(error, "not_found")) return "";
    throw error;
  }
}

function formatTable(head: string[], rows: string[][]): string {
  const cut = (text: string) => (text.length > RESULT_WIDTH ? `${text.slice(0, RESULT_WIDTH - 1)}…` : text);
  const shown = rows.map((row) => row.map(cut));
  const widths = head.map((title, column) => Math.max(title.length, ...shown.map((row) => row[column]?.length ?? 0)));
  const line = (row: string[]) =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return [styleText("bold", line(head)), ...shown.map((row) => colour(row[1] ?? "", line(row)))].join("\n");
}

function colour(state: string, text: string): string {
  if (state === "success") return styleText("green", text);
  if (state === "failed" || state === "upstream_failed") return styleText("red", text);
  return state === "running" ? styleText("cyan", text) : text;
}
