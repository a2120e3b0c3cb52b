// `windlass dags lint [FILES]`: prints what lint/ finds, one line for each.

import { styleText } from "node:util";
import { type LintOptions, lintFiles } from "../../lint/lint-files.ts";
import type { Finding } from "../../lint/finding.ts";
import { systemClock } from "../../lifecycle/clock.ts";

/** Returns the exit code: 0 nothing found, 1 findings. Errors: invalid_request. */
export async function lintDags(
  paths: readonly string[],
  options: LintOptions & { output: "text" | "json" },
  print: (text: string) => void,
): Promise<number> {
  const result = await lintFiles(paths, options, systemClock);
  if (options.output === "json") print(JSON.stringify(result));
  else for (const line of describe(result.findings, result.files)) print(line);
  return result.findings.length === 0 ? 0 : 1;
}

function describe(findings: readonly Finding[], files: number): string[] {
  const lines = findings.map(({ file, line, column, code, message }) => {
    const place = [file, line, column].filter((part) => part !== null).join(":");
    return `${place}: ${styleText("yellow", code)}: ${message}`;
  });
  const count = findings.length === 0 ? "nothing found" : `${findings.length} found`;
  return [...lines, `${count} in ${files} ${files === 1 ? "file" : "files"}`];
}
