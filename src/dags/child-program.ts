// The sealed children's programs, each as one text that is made once per process.

import { join } from "node:path";
import { build } from "esbuild";

const programs = new Map<string, Promise<string>>();

export function readChildProgram(file: "evaluate-child.ts" | "call-child.ts"): Promise<string> {
  const known = programs.get(file);
  if (known) return known;
  const program = buildProgram(file).catch((error: unknown) => {
    programs.delete(file);
    throw error;
  });
  programs.set(file, program);
  return program;
}

async function buildProgram(file: string): Promise<string> {
  const result = await build({
    entryPoints: [join(import.meta.dirname, file)],
    write: false,
    bundle: true,
    format: "cjs",
    platform: "node",
    target: "node26",
    minifyWhitespace: true,
    logLevel: "silent",
  });
  return result.outputFiles[0]?.text ?? "";
}
