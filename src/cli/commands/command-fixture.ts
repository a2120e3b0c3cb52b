// For the tests of this folder: commands as people type them, against an API of their own.

import { Command } from "commander";
import { openApiFixture } from "../../api/api-fixture.ts";
import { readConfiguration } from "../configuration.ts";
import type { CommandLine } from "../command-line.ts";

export interface CommandFixture {
  /** Of the API. */
  address: string;
  /** What the command prints. */
  run(...words: string[]): Promise<string[]>;
  close(): Promise<void>;
}

export async function openCommandFixture(
  addCommands: (program: Command, line: CommandLine) => void,
): Promise<CommandFixture> {
  const fixture = await openApiFixture();
  const address = await fixture.api.listen({ host: "127.0.0.1", port: 0 });
  return {
    address,
    run: async (...words) => {
      const lines: string[] = [];
      const program = new Command("windlass").exitOverride();
      addCommands(program, {
        readConfiguration: () => readConfiguration({ WINDLASS_API_URL: address }),
        print: (line) => lines.push(line),
      });
      await program.parseAsync(words, { from: "user" });
      return lines;
    },
    close: fixture.close,
  };
}
