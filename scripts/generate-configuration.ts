// Writes the table of settings in docs/configuration.md from their schema; --check fails on a difference.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describeConfiguration } from "../src/cli/configuration.ts";

const path = join(import.meta.dirname, "..", "docs", "configuration.md");
const text = `# Configuration

Every process reads its settings from the environment. A wrong value stops it at once, with the name, the problem and an
example. This table is generated from \`src/cli/configuration.ts\` by \`make generate\`.

${describeConfiguration()}

A worker gets three variables from its executor and no other: \`WINDLASS_API_URL\`, \`WINDLASS_ATTEMPT_ID\` and
\`WINDLASS_LAUNCH_TOKEN\`, of which the last is good for one start of one attempt.
`;

if (process.argv.includes("--check")) {
  if ((await readFile(path, "utf8").catch(() => "")) !== text) {
    process.stderr.write("docs/configuration.md is out of date; run make generate\n");
    process.exitCode = 1;
  }
} else {
  await writeFile(path, text);
}
