// A run's params: `conf` with the schema's defaults filled in, checked against the schema that the DAG was published with.

import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { isStorable } from "../core/clean-text.ts";
import { failure, isFailure } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";

const KEPT_VALIDATORS = 200;

export interface ParamsChecker {
  /** Errors: invalid_params. */
  check(dag: { dag_id: string; version_id: number; params_schema: JsonObject | null }, conf: JsonObject): JsonObject;
}

export function createParamsChecker(): ParamsChecker {
  // A version's schema never changes, so its compiled form (2 ms each) is kept.
  const validators = new Map<number, ValidateFunction>();
  const validatorOf = (versionId: number, schema: JsonObject): ValidateFunction => {
    const known = validators.get(versionId);
    if (known) return known;
    const validate = compile(schema);
    validators.set(versionId, validate);
    if (validators.size > KEPT_VALIDATORS) {
      const oldest = validators.keys().next();
      if (!oldest.done) validators.delete(oldest.value);
    }
    return validate;
  };
  return {
    check: (dag, conf) => {
      refuseUnstorable(conf);
      if (dag.params_schema === null) {
        const names = Object.keys(conf);
        if (names.length === 0) return {};
        throw failure("invalid_params", `DAG "${dag.dag_id}" takes no params; leave conf out`, {
          errors: names.map((name) => ({ path: `conf.${name}`, message: "there is no such param" })),
        });
      }
      const validate = validatorOf(dag.version_id, dag.params_schema);
      // Defaults are written into what is validated; conf is kept as it was given.
      const params = structuredClone(conf);
      if (validate(params)) return params;
      const faults = validate.errors ?? [];
      // A format says in a word what its pattern spells out.
      const formats = new Set(
        faults.flatMap(({ keyword, instancePath }) => (keyword === "format" ? [instancePath] : [])),
      );
      const errors = faults
        .filter(({ keyword, instancePath }) => keyword !== "pattern" || !formats.has(instancePath))
        .map(describeFault);
      const detail = errors.map((error) => `${error.path}: ${error.message}`).join("; ");
      throw failure("invalid_params", `DAG "${dag.dag_id}" does not take this conf: ${detail}`, { errors });
    },
  };
}

/**
 * The payload of an event that a task waits for.
 * Errors: invalid_request.
 */
export function checkPayload(taskId: string, schema: JsonObject, payload: JsonObject): JsonObject {
  try {
    // A checker keeps what it compiles by version, and an event's schema is one of several in a version.
    return createParamsChecker().check({ dag_id: taskId, version_id: 0, params_schema: schema }, payload);
  } catch (error) {
    if (!isFailure(error, "invalid_params")) throw error;
    const errors = error.errors.map(({ path, message }) => ({ path: path.replace(/^conf/, "payload"), message }));
    const detail = errors.map(({ path, message }) => `${path}: ${message}`).join("; ");
    const reason = `the event does not fit the schema of task "${taskId}": ${detail}`;
    throw failure("invalid_request", reason, { cause: error, errors });
  }
}

function compile(schema: JsonObject): ValidateFunction {
  const ajv = new Ajv2020({ allErrors: true, useDefaults: true, strict: false, validateSchema: false });
  addFormats.default(ajv);
  try {
    return ajv.compile(schema);
  } catch (error) {
    throw failure("invalid_params", "the DAG's own params schema cannot be used; correct the DAG", { cause: error });
  }
}

function describeFault(fault: ErrorObject): { path: string; message: string } {
  const place = ["conf", ...fault.instancePath.split("/").filter((part) => part !== "")].join(".");
  const { params } = fault;
  if (fault.keyword === "required")
    return { path: `${place}.${String(params["missingProperty"])}`, message: "is missing" };
  if (fault.keyword === "additionalProperties") {
    return { path: `${place}.${String(params["additionalProperty"])}`, message: "there is no such param" };
  }
  if (fault.keyword === "enum")
    return { path: place, message: `must be one of ${JSON.stringify(params["allowedValues"])}` };
  return { path: place, message: fault.message ?? "is not valid" };
}

function refuseUnstorable(conf: JsonObject): void {
  if (!isStorable(conf)) {
    throw failure("invalid_params", "conf holds a NUL character or half a surrogate pair, which Postgres cannot keep");
  }
}
