// The child's program as one text, made once per process.

import { join } from "node:path";
import { build } from "esbuild";

let program: Promise<string> | null = null;

export function readChildProgram(): Promise<string> {
  program ??= buildProgram().catch((error: unknown) => {
    program = null;
    throw error;
  });
  return program;
}

async function buildProgram(): Promise<string> {
  const result = await build({
    entryPoints: [join(import.meta.dirname, "evaluate-child.ts")],
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
