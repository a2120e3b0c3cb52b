// What Windlass itself says at the end, read from its database.

import pg from "pg";
import type { TaskState } from "../../src/core/states.ts";

export interface RunRow {
  dag_id: string;
  run_id: string;
  state: string;
}

export interface InstanceRow {
  run_id: string;
  task_id: string;
  state: TaskState | null;
  try_number: number;
  infrastructure_failures: number;
  reason: string | null;
  result: { worker?: string } | null;
}

export interface AttemptRow {
  run_id: string;
  task_id: string;
  epoch: number;
  try_number: number;
  state: string;
  outcome: string | null;
  outcome_reason: string | null;
  pod_name: string | null;
  pod_uid: string | null;
  queued_at: Date;
  launched_at: Date | null;
  started_at: Date | null;
  finished_at: Date | null;
  pod_gone_at: Date | null;
  cleaned_at: Date | null;
}

export interface State {
  runs: RunRow[];
  instances: InstanceRow[];
  attempts: AttemptRow[];
}

async function connected<T>(url: string, read: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  // What breaks it fails the query too.
  client.on("error", () => {});
  await client.connect();
  try {
    return await read(client);
  } finally {
    await client.end();
  }
}

export async function readState(url: string): Promise<State> {
  return connected(url, async (client) => {
    const runs = await client.query<RunRow>("select dag_id, dag_run_id as run_id, state from dag_run");
    const instances = await client.query<InstanceRow>(`
      select r.dag_run_id as run_id, i.task_id, i.state, i.try_number, i.infrastructure_failures, i.reason, v.value as result
      from task_instance i join dag_run r on r.id = i.run_id left join task_result v on v.task_instance_id = i.id`);
    const attempts = await client.query<AttemptRow>(`
      select r.dag_run_id as run_id, i.task_id, a.epoch, a.try_number, a.state, a.outcome, a.outcome_reason, a.pod_name,
        a.pod_uid, a.queued_at, a.launched_at, a.started_at, a.finished_at, a.pod_gone_at, a.cleaned_at
      from attempt a join task_instance i on i.id = a.task_instance_id join dag_run r on r.id = i.run_id
      order by a.task_instance_id, a.epoch`);
    return { runs: runs.rows, instances: instances.rows, attempts: attempts.rows };
  });
}

export interface Progress {
  open_runs: number;
  /** That have ended. */
  attempts: number;
  /** Attempts of which something is left, or that have not ended. */
  remains: number;
}

export async function readProgress(url: string): Promise<Progress> {
  const { rows } = await connected(url, (client) =>
    client.query<Progress>(`
      select (select count(*)::int from dag_run where state in ('queued', 'running')) as open_runs,
        count(*) filter (where outcome is not null)::int as attempts, count(*) filter (where cleaned_at is null)::int as remains
      from attempt`),
  );
  return rows[0] ?? { open_runs: 0, attempts: 0, remains: 0 };
}
