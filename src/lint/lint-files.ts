// `windlass dags lint`: what is wrong with DAG files before they are deployed. Reads them as the scheduler would, then looks for
// what is valid and still a mistake, and has the compiler check the types.

import { stat } from "node:fs/promises";
import { basename, dirname, relative, resolve } from "node:path";
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
}

/** @param paths files and folders. Errors: invalid_request */
export async function lintFiles(paths: readonly string[], options: LintOptions, clock: Clock): Promise<LintResult> {
  const read: (Target & ReadFile)[] = [];
  const empty: Finding[] = [];
  for (const path of paths) {
    const own: (Target & ReadFile)[] = [];
    // One after the other: each takes a process of its own, or three.
    for (const target of await findTargets(path)) own.push({ ...target, ...(await lintFile(target, clock)) });
    if (own.every(({ findings, dags }) => findings.length + dags.length === 0))
      empty.push(findNoDag(basename(resolve(path))));
    read.push(...own);
  }
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
  const findings = [...empty, ...read.flatMap((each) => each.findings), ...types.flat(), ...findDuplicates(dags)];
  return { files: read.length, dags: dags.map(({ dag_id }) => dag_id), findings: sortFindings(findings) };
}

async function findTargets(path: string): Promise<Target[]> {
  const whole = resolve(path);
  const stats = await stat(whole).catch((error: unknown) => {
    throw failure("invalid_request", `there is no file or folder ${whole} to read`, { cause: error });
  });
  if (!stats.isDirectory()) return [{ folder: dirname(whole), file: basename(whole) }];
  const { dagFiles } = await scanFolder(whole);
  return [...dagFiles].toSorted().map((file) => ({ folder: whole, file }));
}

interface ReadFile {
  parsed: boolean;
  findings: Finding[];
  dags: { dag_id: string; file: string; line: number | null; column: number | null }[];
}

async function lintFile({ folder, file }: Target, clock: Clock): Promise<ReadFile> {
  const processed = await processFile(folder, file, DEFAULT_LIMITS, clock);
  switch (processed.kind) {
    case "none":
      // A neighbour module; whether it should have been more is seen from what was named.
      return { parsed: true, findings: [], dags: [] };
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
      for (const importer of bundle.importers) {
        const message = `${importer} imports this file, which imports ${importer}: what it reads here at once is undefined; move that to a third file`;
        findings.push({ ...placeOf([`./${relative(dirname(file), importer)}`]), code: "import_cycle", message });
      }
      return { parsed: true, findings, dags: definitions.map(({ dag_id }) => ({ dag_id, ...placeOf([dag_id]) })) };
    }
  }
}

function findNoDag(file: string): Finding {
  const message = "there is no DAG here; write `export default dag(...)`";
  return { file, line: null, column: null, code: "no_dag", message };
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
