// `windlass pools`: how many slots there are for which tasks, managed through the API.

import { type Command, InvalidArgumentError, Option } from "commander";
import { poolAnswer, poolsAnswer } from "../../contract/rest-pools.ts";
import { isFailure } from "../../core/errors.ts";
import type { CommandLine } from "../command-line.ts";
import { connectApi } from "../connect-api.ts";

/** One page: an installation has a handful. */
const PAGE = 1_000;

const placeOf = (name: string) => `/api/v2/pools/${encodeURIComponent(name)}`;

export function addPoolCommands(program: Command, { readConfiguration, print }: CommandLine): void {
  const connect = () => connectApi(readConfiguration());
  const pools = program.command("pools").description("how many slots there are for which tasks");
  pools
    .command("list")
    .description("list them with what uses their slots")
    .addOption(new Option("--output <format>", "text or json").choices(["text", "json"]).default("text"))
    .action(async (options: { output: string }) => {
      const { pools: found } = await (await connect()).get(`/api/v2/pools?limit=${PAGE}`, poolsAnswer);
      if (options.output === "json") return print(JSON.stringify(found));
      print("pool\tslots\trunning\tqueued\tscheduled\tdeferred\topen");
      for (const pool of found) {
        const { name, slots, running_slots, queued_slots, scheduled_slots, deferred_slots, open_slots } = pool;
        print([name, slots, running_slots, queued_slots, scheduled_slots, deferred_slots, open_slots].join("\t"));
      }
    });
  pools
    .command("set")
    .description("create or change one")
    .argument("<name>")
    .argument("<slots>", "-1 for no limit", readSlots)
    .option("--description <text>")
    .option("--include-deferred", "deferred tasks keep their slots")
    .option("--no-include-deferred")
    .action(async (name: string, slots: number, options: { description?: string; includeDeferred?: boolean }) => {
      const client = await connect();
      const change = {
        slots,
        ...(options.description === undefined ? {} : { description: options.description }),
        ...(options.includeDeferred === undefined ? {} : { include_deferred: options.includeDeferred }),
      };
      try {
        await client.patch(placeOf(name), change, poolAnswer);
      } catch (error) {
        if (!isFailure(error, "not_found")) throw error;
        await client.post("/api/v2/pools", { name, ...change }, poolAnswer);
      }
      print(`pool ${name} has ${slots === -1 ? "no limit of slots" : `${slots} slots`}`);
    });
  pools
    .command("delete")
    .description("delete one; tasks that name it wait until there is one again")
    .argument("<name>")
    .action(async (name: string) => {
      await (await connect()).delete(placeOf(name));
      print(`pool ${name} is deleted`);
    });
}

function readSlots(given: string): number {
  const slots = Number(given);
  if (/^-?\d+$/.test(given) && slots >= -1 && slots < 2 ** 31) return slots;
  throw new InvalidArgumentError("Give a whole number of slots, or -1 for no limit.");
}
