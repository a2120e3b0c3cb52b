// `windlass assets`: what tasks produce and runs wait for, through the API; and events of it from outside.

import { type Command, InvalidArgumentError, Option } from "commander";
import { assetEventAnswer, assetsAnswer } from "../../contract/rest-assets.ts";
import { failure } from "../../core/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../core/json.ts";
import type { CommandLine } from "../command-line.ts";
import { connectApi } from "../connect-api.ts";

/** One page; `--name` finds the others. */
const PAGE = 1_000;
const output = () => new Option("--output <format>", "text or json").choices(["text", "json"]).default("text");

export function addAssetCommands(program: Command, { readConfiguration, print }: CommandLine): void {
  const connect = () => connectApi(readConfiguration());
  const assets = program.command("assets").description("what tasks produce and runs wait for");
  assets
    .command("list")
    .description("list them with their last events, and with the DAGs that wait for them")
    .option("--name <part>", "those with it in their name")
    .addOption(output())
    .action(async (options: { name?: string; output: string }) => {
      const query = new URLSearchParams({ limit: String(PAGE), ...(options.name && { name_pattern: options.name }) });
      const { assets: found } = await (await connect()).get(`/api/v2/assets?${query.toString()}`, assetsAnswer);
      if (options.output === "json") return print(JSON.stringify(found));
      print("name\tlast event\tproduced by\twaited for by");
      for (const asset of found) {
        const producers = asset.producing_tasks.map(({ dag_id, task_id }) => `${dag_id}.${task_id}`);
        const consumers = asset.scheduled_dags.map(({ dag_id }) => dag_id);
        const last = asset.last_asset_event?.timestamp ?? "never";
        print([asset.name, last, producers.join(", ") || "-", consumers.join(", ") || "-"].join("\t"));
      }
    });
  assets
    .command("emit")
    .description("record an event that something outside has caused")
    .argument("<name>", "the asset")
    .option("--extra <json>", "data of the event, a JSON object", readExtra, {})
    .addOption(output())
    .action(async (name: string, options: { extra: JsonObject; output: string }) => {
      const client = await connect();
      const query = new URLSearchParams({ name });
      const [asset] = (await client.get(`/api/v2/assets?${query.toString()}`, assetsAnswer)).assets;
      if (!asset) {
        throw failure(
          "not_found",
          `there is no asset "${name}"; a DAG must name it first, as an outlet or in its schedule`,
        );
      }
      const event = await client.post(
        "/api/v2/assets/events",
        { asset_id: asset.id, extra: options.extra },
        assetEventAnswer,
      );
      print(options.output === "json" ? JSON.stringify(event) : `event ${event.id} of asset ${name} is recorded`);
    });
}

function readExtra(text: string): JsonObject {
  try {
    const parsed = JSON.parse(text) as Json;
    if (isJsonObject(parsed)) return parsed;
  } catch {
    // Said below.
  }
  throw new InvalidArgumentError(`Give a JSON object, as in '{"rows": 3}'.`);
}
