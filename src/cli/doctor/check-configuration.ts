// The settings: what is wrong is named, and the other checks go on with the rest.

import { isFailure, messageOf } from "../../core/errors.ts";
import { readPodTemplate } from "../compose-executor.ts";
import { type Configuration, type Environment, readConfiguration } from "../configuration.ts";
import { loadPodPolicy } from "../pod-policy-file.ts";
import { type Check, ok, problem, warning } from "./check.ts";

/** The configuration without the settings that are wrong; those then have their defaults. */
export function checkSettings(environment: Environment): { configuration: Configuration; checks: Check[] } {
  try {
    const configuration = readConfiguration(environment);
    return { configuration, checks: [ok("configuration", "every setting that is set is valid")] };
  } catch (error) {
    if (!isFailure(error, "invalid_configuration") || error.errors.length === 0) throw error;
    const wrong = new Set(error.errors.map(({ path }) => path));
    const rest = Object.fromEntries(Object.entries(environment).filter(([name]) => !wrong.has(name)));
    return {
      configuration: readConfiguration(rest),
      checks: error.errors.map(({ path, message }) =>
        problem("configuration", `${path} ${message}`, "correct it; docs/configuration.md lists all settings"),
      ),
    };
  }
}

/** What only the Kubernetes executor needs. */
export async function checkPodSettings(configuration: Configuration): Promise<Check[]> {
  const checks: Check[] = [];
  if (configuration.WINDLASS_WORKER_IMAGE === undefined) {
    checks.push(
      warning(
        "configuration/worker-image",
        "WINDLASS_WORKER_IMAGE is not set",
        "set it to the image of task pods where the scheduler runs: it does not start without",
      ),
    );
  }
  try {
    if ((await readPodTemplate(configuration.WINDLASS_POD_TEMPLATE)) !== null)
      checks.push(ok("configuration/pod-template", "the file of WINDLASS_POD_TEMPLATE holds a Pod"));
  } catch (error) {
    checks.push(problem("configuration/pod-template", messageOf(error), "correct the file or its path"));
  }
  try {
    if ((await loadPodPolicy(configuration.WINDLASS_POD_POLICY)) !== null)
      checks.push(ok("configuration/pod-policy", "the module of WINDLASS_POD_POLICY exports a function"));
  } catch (error) {
    checks.push(problem("configuration/pod-policy", messageOf(error), "correct the module or its path"));
  }
  return checks;
}
