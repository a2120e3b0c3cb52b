// What `windlass dags lint` says of a file, and what each of its own codes means: the list is printed in docs/testing-dags.md.

export const FINDINGS = {
  import_error: "the file does not become DAGs",
  no_dag: "a file that was named exports no DAG, or no file of a folder that was named",
  duplicate_dag: "two files define the same DAG: one of them is shadowed",
  unstable_definition:
    "the definition depends on the clock or on chance, so every read of the file makes a new version",
  import_cycle: "a file imports the DAG file that imports it: what it reads of the DAG file at once is undefined",
  unused_task: "a task that is in no DAG",
  catchup_without_start: "catchup without a start has nothing to begin from",
  catchup_without_schedule: "catchup without a schedule does nothing",
  rule_without_upstream: "a trigger rule on a task that nothing comes before",
  secret_literal: "a password or token in the file: it is in the bundle, in Postgres and in the API's answers",
} as const;

/** Errors of the compiler have its own codes, such as TS2322. */
export type FindingCode = keyof typeof FINDINGS | `TS${number}`;

export interface Finding {
  /** As it was given to the command, or relative to the folder that was. */
  file: string;
  /** From 1 on; null where no line is to blame. */
  line: number | null;
  column: number | null;
  code: FindingCode;
  message: string;
}

export function sortFindings(findings: readonly Finding[]): Finding[] {
  return findings.toSorted(
    (a, b) =>
      a.file.localeCompare(b.file) ||
      (a.line ?? 0) - (b.line ?? 0) ||
      (a.column ?? 0) - (b.column ?? 0) ||
      a.code.localeCompare(b.code),
  );
}
