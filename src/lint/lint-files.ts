// `windlass dags lint`: what is wrong with DAG files before they are deployed. Reads them as the scheduler would, then looks for
// what is valid and still a mistake, and has the compiler check the types.

import { stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { failure } from "../core/errors.ts";
import { findQuoted } from "../dags/find-quoted.ts";
import { processFile } from "../dags/process-file.ts";
import { DEFAULT_LIMITS } from "../dags/run-sealed.ts";
import { scanFolder } from "../dags/scan-folder.ts";
import type { Clock } from "../lifecycle/clock.ts";
import { findInstability } from "./check-stability.ts";
import { checkTypes } from "./check-types.ts";
import { type Finding, sortFindings } from "./finding.ts";
import { judgeDefinition } from "./judge-definition.ts";

export interface LintOptions {
  /** Whether the compiler is asked. */
  types: boolean;
}

export interface LintResult {
  /** How many files were read. */
  files: number;
  dags: string[];
  findings: Finding[];
}

interface Target {
  folder: string;
  /** Relative to the folder. */
  file: string;
  /** A neighbour module found in a folder may have no DAG; a file that was named must. */
  named: boolean;
}

/** @param paths files and folders. Errors: invalid_request */
export async function lintFiles(paths: readonly string[], options: LintOptions, clock: Clock): Promise<LintResult> {
  const targets = (await Promise.all(paths.map(findTargets))).flat();
  const read: (Target & ReadFile)[] = [];
  // One after the other: each takes a process of its own, or three.
  for (const target of targets) read.push({ ...target, ...(await lintFile(target, clock)) });
  const dags = read.flatMap(({ dags: own }) => own);
  // One file that does not parse would hide the errors of all others from the compiler's answer.
  const folders = options.types
    ? Map.groupBy(
        read.filter(({ parsed }) => parsed),
        ({ folder }) => folder,
      )
    : [];
  const types = await Promise.all(
    [...folders].map(([folder, own]) =>
      checkTypes(
        folder,
        own.map(({ file }) => file),
      ),
    ),
  );
  const findings = [...read.flatMap((each) => each.findings), ...types.flat(), ...findDuplicates(dags)];
  return { files: targets.length, dags: dags.map(({ dag_id }) => dag_id), findings: sortFindings(findings) };
}

async function findTargets(path: string): Promise<Target[]> {
  const whole = resolve(path);
  const stats = await stat(whole).catch((error: unknown) => {
    throw failure("invalid_request", `there is no file or folder ${whole} to read`, { cause: error });
  });
  if (!stats.isDirectory()) return [{ folder: dirname(whole), file: basename(whole), named: true }];
  const { dagFiles } = await scanFolder(whole);
  return [...dagFiles].toSorted().map((file) => ({ folder: whole, file, named: false }));
}

interface ReadFile {
  parsed: boolean;
  findings: Finding[];
  dags: { dag_id: string; file: string; line: number | null; column: number | null }[];
}

async function lintFile({ folder, file, named }: Target, clock: Clock): Promise<ReadFile> {
  const processed = await processFile(folder, file, DEFAULT_LIMITS, clock);
  switch (processed.kind) {
    case "none": {
      const message = "the file exports no DAG; write `export default dag(...)`";
      const findings = named ? [{ file, line: null, column: null, code: "no_dag" as const, message }] : [];
      return { parsed: true, findings, dags: [] };
    }
    case "fault": {
      const { line, column, message } = processed.fault;
      const parsed = processed.inputs !== null;
      return { parsed, findings: [{ file, line, column, code: "import_error", message }], dags: [] };
    }
    case "dags": {
      const { bundle, definitions } = processed;
      const placeOf = (near: readonly string[]) => {
        const place = findQuoted(near, file, bundle.sourceMap);
        return { file, line: place?.line ?? null, column: place?.column ?? null };
      };
      const findings: Finding[] = definitions
        .flatMap(judgeDefinition)
        .map(({ code, message, near }) => ({ ...placeOf(near), code, message }));
      const unstable = await findInstability(bundle, file, definitions, clock);
      if (unstable) {
        const { dag_id, ...place } = unstable;
        const message = `DAG "${dag_id}" depends on the time or on chance when it is evaluated; use the clock and Math.random only inside a task, or use run.logical_date`;
        findings.push({ file, ...place, code: "unstable_definition", message });
      }
      return { parsed: true, findings, dags: definitions.map(({ dag_id }) => ({ dag_id, ...placeOf([dag_id]) })) };
    }
  }
}

function findDuplicates(dags: ReadFile["dags"]): Finding[] {
  return [...Map.groupBy(dags, ({ dag_id }) => dag_id).values()].flatMap((same) =>
    same.slice(1).map(({ dag_id, ...place }) => ({
      ...place,
      code: "duplicate_dag" as const,
      message: `DAG "${dag_id}" is defined in ${same[0]?.file} as well; give one of them another id`,
    })),
  );
}
