// What all interventions share: one call of the store under the caller's name, and its plan as an answer.

import type { ChangesAnswer } from "../contract/rest-interventions.ts";
import type { ChosenTask, RunPlan } from "../core/intervention.ts";
import { type Intervention, intervene } from "../store/intervene.ts";
import type { ApiOptions } from "./api-server.ts";
import type { Check } from "./intervention-checks.ts";

/** In sentences about what was done. */
export const sayWho = (user: string | null) => (user === null ? "someone who did not sign in" : user);

export interface Act {
  dag_id: string;
  dag_run_id: string;
  user: string | null;
  event: string;
  task?: ChosenTask | undefined;
  intervention: Intervention;
  dry_run: boolean;
  past?: boolean;
  future?: boolean;
  check: Check;
}

export async function performIntervention(
  { db, rules, clock }: Pick<ApiOptions, "db" | "rules" | "clock">,
  { user, event, task, ...call }: Act,
): Promise<ChangesAnswer> {
  const { dag_id, dag_run_id } = call;
  const plans = await intervene(
    db,
    rules,
    {
      past: false,
      future: false,
      ...call,
      event: {
        event,
        dag_id,
        dag_run_id,
        task_id: task?.task_id ?? null,
        map_index: task?.map_index ?? null,
        owner: user,
      },
    },
    clock.now(),
  );
  return presentPlans(plans, call.dry_run);
}

function presentPlans(plans: readonly RunPlan[], dryRun: boolean): ChangesAnswer {
  const task_instances = plans.flatMap(({ run, changes }) =>
    changes.map(({ id, task_id, map_index, try_number, max_tries, from, to, stop }) => ({
      id,
      dag_id: run.dag_id,
      dag_run_id: run.dag_run_id,
      task_id,
      map_index,
      try_number,
      max_tries,
      state: from,
      new_state: to,
      ends_attempt: stop !== null,
    })),
  );
  const dag_runs = plans.flatMap(({ run, run_to, move }) =>
    run_to === null && move === null
      ? []
      : [
          {
            dag_run_id: run.dag_run_id,
            state: run.state,
            new_state: run_to ?? run.state,
            moves_version: move !== null,
            added_tasks: move?.added ?? [],
          },
        ],
  );
  return { task_instances, total_entries: task_instances.length, dag_runs, dry_run: dryRun };
}
