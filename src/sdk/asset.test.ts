import { describe, expect, it } from "vitest";
import { allOf, anyOf, type Asset, asset, dag, type DagOptions, kubernetesPod, task } from "windlass";
import { checkDefinitions } from "../dags/check-definition.ts";
import { COMPILED_DAG } from "./compiled.ts";

const orders = asset("s3://bucket/orders");
const rates = asset("rates", { uri: "https://rates", group: "finance", extra: { owner: "x" } });
const ordersAsset = { name: "s3://bucket/orders", uri: "s3://bucket/orders" };
const ratesAsset = { name: "rates", uri: "https://rates", group: "finance", extra: { owner: "x" } };
const one = { kind: "asset", asset: ordersAsset };
const two = { kind: "asset", asset: ratesAsset };

const define = (options: DagOptions, outlets?: readonly Asset[]) => {
  const built = dag("d", options, () => {
    task("t", outlets ? { outlets } : {}, () => 1)();
  });
  return built[COMPILED_DAG].definition;
};

describe("a schedule of assets", () => {
  it.each<[NonNullable<DagOptions["schedule"]>, object]>([
    [orders, one],
    [anyOf(orders, rates), { kind: "any", of: [one, two] }],
    [allOf(orders, anyOf(rates)), { kind: "all", of: [one, { kind: "any", of: [two] }] }],
  ])("%o is a condition, without times", (schedule, assets) => {
    const definition = define({ schedule });
    expect(definition).toMatchObject({ schedule: null, assets });
    expect(checkDefinitions([definition]).errors).toEqual([]);
  });

  it("stands beside times", () => {
    const timezone = "Europe/Paris";
    expect(define({ schedule: { cron: "0 6 * * *", assets: orders }, timezone })).toMatchObject({
      schedule: { kind: "cron", expression: "0 6 * * *", timezone },
      assets: one,
    });
    expect(define({ schedule: { cron: { every: "90m" }, assets: orders } }).schedule).toMatchObject({ seconds: 5400 });
    const timetable = () => null;
    const built = dag("d", { schedule: { cron: { timetable }, assets: orders } }, () => void task("t", () => 1)());
    expect(built[COMPILED_DAG]).toMatchObject({ timetable, definition: { schedule: { kind: "custom" } } });
  });

  it("needs defaults of all params", () => {
    const params_schema = { type: "object", required: ["day"], properties: { day: { type: "string" } } };
    const { errors } = checkDefinitions([{ ...define({ schedule: orders }), params_schema }]);
    expect(errors[0]).toMatchObject({ path: 'DAG "d", params.day' });
  });
});

it("outlets are in the definition of the tasks that have them, and no empty field elsewhere", () => {
  expect(define({}, [orders, rates]).tasks[0]).toMatchObject({ outlets: [ordersAsset, ratesAsset] });
  expect(define({}, []).tasks[0]).not.toHaveProperty("outlets");
  expect(define({})).not.toHaveProperty("assets");
  const built = dag("d", {}, () => void kubernetesPod("p", { image: "alpine:3", outlets: [orders] })());
  expect(built[COMPILED_DAG].definition.tasks[0]).toMatchObject({ outlets: [ordersAsset] });
});

it.each(["empty", "wait"] as const)("a task of kind %s, which runs no attempt, can have none", (kind) => {
  const definition = define({}, [orders]);
  const tasks = definition.tasks.map((each) => ({ ...each, kind }));
  const { errors } = checkDefinitions([{ ...definition, tasks }]);
  expect(errors[0]).toMatchObject({ path: 'DAG "d", task "t".outlets' });
});

it("one name cannot mean two things in a DAG", () => {
  const { errors } = checkDefinitions([define({ schedule: asset("rates") }, [rates])]);
  expect(errors[0]).toMatchObject({ path: 'DAG "d", asset "rates"' });
});

it.each<[() => unknown, string]>([
  [() => asset(""), 'asset: the name is ""'],
  [() => asset("a", { uri: 1 as never }), 'asset "a": uri is 1'],
  [() => asset("a", { extra: [] as never }), 'asset "a": extra is an array'],
  [() => asset("a", { gruop: "x" } as never), "the option gruop is unknown"],
  [() => anyOf("a" as never), 'anyOf() was given "a"'],
  [() => Reflect.apply(allOf, null, []), "allOf() was given no asset"],
  [() => define({ schedule: { cron: "0 6 * * *", assets: "a" as never } }), 'schedule.assets is "a"'],
  [() => define({}, ["a" as never]), 'task "t": outlets[0] is "a"'],
  [() => define({}, "a" as never), 'task "t": outlets is "a"'],
  [() => define({}, [orders, orders]), 'names asset "s3://bucket/orders" twice'],
  [() => define({}, [anyOf(orders) as never]), "outlets[0] is an object"],
])("%s is refused", (write, message) => {
  expect(write).toThrow(message);
});
