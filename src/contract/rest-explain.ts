// Why a task instance waits, or how it ended: GET …/taskInstances/{task_id}/explain.

import { z } from "zod";
import { TIMELINE_EVENTS } from "../core/attempt-timeline.ts";
import { CAUSES } from "../core/situation.ts";
import { TASK_STATES } from "../core/states.ts";
import { instant } from "./rest.ts";

const timelineEvent = z.object({
  /**
   * queued: its row was made; launched: its pod or process; scheduled: a node has the pod; pulled: the node has the image;
   * started: the container runs; running: its worker has reported; finished: its outcome was written.
   */
  event: z.enum(TIMELINE_EVENTS),
  at: instant,
});

export const explanationAnswer = z
  .object({
    task_instance_id: z.uuid(),
    dag_id: z.string(),
    dag_run_id: z.string(),
    task_id: z.string(),
    map_index: z.int(),
    /** null: its dependencies have not been met yet. */
    state: z.enum(TASK_STATES).nullable(),
    /** One complete sentence: what it waits for or how it ended, and what a person can do about it. */
    sentence: z.string().meta({ description: "One complete sentence, for a person" }),
    /** What holds it; of one that has ended, the kind of its outcome, or why it never ran. */
    cause: z.enum(CAUSES).meta({ description: "The same for a program; more may come with later releases" }),
    /** The newest attempt's number; 0: there has been none. A try has one, and one more for each fault of the cluster. */
    attempt: z.int(),
    try_number: z.int(),
    max_tries: z.int(),
    /** Faults of the cluster so far, which spend no tries, and how many it may suffer. */
    infrastructure_failures: z.int(),
    infrastructure_budget: z.int(),
    retry_at: instant.nullable(),
    /** The newest attempt's way, in the order of happening; what was not reached, or not seen, is left out. */
    timeline: z.array(timelineEvent),
    /** Bytes that the newest attempt's main container is limited to, with what its task has learned to need; null: none, or not seen yet. */
    memory_limit: z.int().nullable(),
    /** Bytes that the newest attempt's container used at most, as of its last heartbeat or its end; null: not known. */
    memory_peak: z.int().nullable(),
    /** The last errors in the newest attempt's log, or its last lines when there are none. */
    last_lines: z.array(z.object({ timestamp: instant, level: z.string(), event: z.string() })),
  })
  .meta({ id: "Explanation" });
export type ExplanationAnswer = z.infer<typeof explanationAnswer>;
