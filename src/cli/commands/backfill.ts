// `windlass backfill …`: the API's backfills on the command line.

import {
  type BackfillAnswer,
  backfillAnswer,
  backfillsAnswer,
  dryRunAnswer,
  MAX_NEXT_RUNS,
} from "../../contract/rest-backfills.ts";
import { REST_PREFIX } from "../../contract/rest.ts";
import { failure } from "../../core/errors.ts";
import type { RestClient } from "../rest-client.ts";

type Print = (text: string) => void;
type Output = "text" | "json";

const PATH = `${REST_PREFIX}/backfills`;

export interface CreateOptions {
  dagId: string;
  from: Date;
  to: Date;
  reprocess: string;
  maxActiveRuns: number;
  backwards: boolean;
  dryRun: boolean;
  conf: string;
  output: Output;
}

export async function createBackfill(options: CreateOptions, api: RestClient, print: Print): Promise<void> {
  const body = {
    dag_id: options.dagId,
    from_date: options.from.toISOString(),
    to_date: options.to.toISOString(),
    reprocess_behavior: options.reprocess,
    max_active_runs: options.maxActiveRuns,
    run_backwards: options.backwards,
    dag_run_conf: parseConf(options.conf),
  };
  if (!options.dryRun) return printBackfill(await api.post(PATH, body, backfillAnswer), options.output, print);
  const { backfills, total_entries } = await api.post(`${PATH}/dry_run`, body, dryRunAnswer);
  if (options.output === "json") return print(JSON.stringify(backfills, null, 2));
  for (const { logical_date } of backfills) print(logical_date);
  print(`${total_entries} runs would be made or repeated`);
}

export async function printBackfills(
  dagId: string | null,
  output: Output,
  api: RestClient,
  print: Print,
): Promise<void> {
  const query = new URLSearchParams({ limit: String(MAX_NEXT_RUNS), ...(dagId !== null && { dag_id: dagId }) });
  const { backfills } = await api.get(`${PATH}?${query.toString()}`, backfillsAnswer);
  if (output === "json") return print(JSON.stringify(backfills, null, 2));
  if (backfills.length === 0) return print("there are no backfills");
  for (const backfill of backfills) printBackfill(backfill, output, print);
}

export async function changeBackfill(
  id: string,
  action: "pause" | "unpause" | "cancel",
  output: Output,
  api: RestClient,
  print: Print,
): Promise<void> {
  printBackfill(await api.put(`${PATH}/${encodeURIComponent(id)}/${action}`, {}, backfillAnswer), output, print);
}

function printBackfill(backfill: BackfillAnswer, output: Output, print: Print): void {
  if (output === "json") return print(JSON.stringify(backfill, null, 2));
  const { id, dag_id, from_date, to_date, dates } = backfill;
  const state = backfill.cancelled_at
    ? "cancelled"
    : backfill.completed_at
      ? "completed"
      : backfill.is_paused
        ? "paused"
        : "active";
  const counts = `${dates.pending} of ${dates.total} dates to come, ${dates.created} made, ${dates.reset} repeated, ${dates.skipped} left alone`;
  print(`${id}  ${dag_id}  ${from_date} to ${to_date}  ${state}: ${counts}`);
}

function parseConf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw failure("invalid_request", `--conf is not JSON; an example is --conf '{"day":"2026-01-31"}'`, {
      cause: error,
    });
  }
}
