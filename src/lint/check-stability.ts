// Whether a file gives the same definition whenever it is read: it is read again in a child whose clock and chance are others.
// If the definition differs, a third child refuses both, and where it breaks off is the line that asked.

import type { DagDefinition } from "../core/definition.ts";
import { type EvaluatedBundle, evaluateBundle } from "../dags/evaluate.ts";
import { findQuoted } from "../dags/find-quoted.ts";
import { DEFAULT_LIMITS } from "../dags/run-sealed.ts";
import type { Clock } from "../lifecycle/clock.ts";

export interface Instability {
  dag_id: string;
  line: number | null;
  column: number | null;
}

// On one line, before the bundle's first: its lines keep their numbers. More than a year and some hours later.
const OTHERWISE = `{
  const later = 400 * 864e5 + 3 * 36e5 + 421007, { now } = Date, RealDate = Date;
  const ask = (value) => { if (globalThis.windlassRefuses) throw new Error("the clock or chance was asked"); return value; };
  globalThis.Date = new Proxy(RealDate, {
    construct: (real, given, target) => Reflect.construct(real, given.length > 0 ? given : [ask(now() + later)], target),
    get: (real, name, self) => (name === "now" ? () => ask(now() + later) : Reflect.get(real, name, self)),
  });
  Math.random = () => ask(0.4210071);
  const { randomUUID } = crypto;
  crypto.randomUUID = () => ask(randomUUID.call(crypto));
  for (const name of ["instant", "plainDateISO", "plainDateTimeISO", "zonedDateTimeISO", "plainTimeISO"]) {
    const real = Temporal.Now[name];
    Temporal.Now[name] = (...given) => {
      const now = real.call(Temporal.Now, ...given);
      try { return ask(now.add({ days: 400, hours: 3 })); } catch (error) { if (name !== "instant" || globalThis.windlassRefuses) throw error; }
      return now.add({ hours: 9603 });
    };
  }
}`.replaceAll(/\n\s*/g, " ");

/** null: the same. */
export async function findInstability(
  bundle: EvaluatedBundle,
  filename: string,
  definitions: readonly DagDefinition[],
  clock: Clock,
): Promise<Instability | null> {
  const readAgain = (prelude: string) =>
    evaluateBundle({ ...bundle, code: prelude + bundle.code }, filename, DEFAULT_LIMITS, clock);
  const other = await readAgain(OTHERWISE);
  // What fails under another clock depends on it as well.
  const read = other.kind === "dags" ? other.definitions : [];
  const differing = definitions.find((definition, index) => JSON.stringify(definition) !== JSON.stringify(read[index]));
  if (!differing) return null;
  const refused = await readAgain(`globalThis.windlassRefuses = true; ${OTHERWISE}`);
  const { dag_id } = differing;
  if (refused.kind === "fault" && refused.fault.line !== null) {
    return { dag_id, line: refused.fault.line, column: refused.fault.column };
  }
  const place = findQuoted([dag_id], filename, bundle.sourceMap);
  return { dag_id, line: place?.line ?? null, column: place?.column ?? null };
}
