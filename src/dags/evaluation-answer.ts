// What the sealed child says on its answer pipe: one JSON text. Imported by the child, so it holds no more than names;
// the parent parses what it reads in evaluate.ts.

export type EvaluationAnswer =
  | { kind: "dags"; definitions: unknown[] }
  | { kind: "thrown"; message: string; stack: string }
  /** A line of the bundle, from 1; null: the author's code was not seen at work. */
  | { kind: "located"; line: number | null }
  /** ISO instants, ascending; is_complete: the timetable has no more. */
  | { kind: "times"; times: string[]; is_complete: boolean };

/** What a custom timetable is asked: the times after an instant, in milliseconds, until there are enough. */
export interface TimetableQuestion {
  dag_id: string;
  after: number;
  until: number;
  count: number;
}

/** File descriptor of the answer pipe: stdout belongs to the author's console. */
export const ANSWER_FD = 3;

/** "evaluate" answers with the DAGs; "locate" works until SIGINT and answers with the line it was at; "compute" asks a timetable. */
export type EvaluationMode = "evaluate" | "locate" | "compute";
/** What a sealed child is for. "call" is of another program, see call-answer.ts. */
export type SealedMode = EvaluationMode | "call";
