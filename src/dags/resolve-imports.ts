// How a DAG file's imports are found: "windlass" is this installation's sdk, "zod" the author's own or else this
// installation's, everything else lies in the dags folder or in a node_modules folder beside it. Files keep the names that
// they have in the folder, whatever symlinks lead to them, so that a swapped symlink does not change a bundle's hash.

import { readFile, realpath } from "node:fs/promises";
import { dirname, extname, join, relative, sep } from "node:path";
import type { Loader, OnLoadResult, OnResolveArgs, OnResolveResult, Plugin, PluginBuild } from "esbuild";

/** Names in bundles and source maps of what comes with this installation: "windlass:src/sdk/index.ts". */
export const INSTALLATION_NAMESPACE = "windlass";

const INSTALLATION = join(import.meta.dirname, "..", "..");
const SDK = "src/sdk/index.ts";
/** Marks our own look-ups, which come back to the plugin. */
const OWN_LOOKUP = Symbol("own look-up");
const CODE = new Set([".ts", ".mts", ".cts", ".tsx", ".js", ".mjs", ".cjs", ".jsx"]);

export function resolveImports(folder: string): Plugin {
  return {
    name: "windlass-imports",
    setup(build) {
      build.onResolve({ filter: /^windlass$/ }, () => installed(SDK));
      build.onResolve({ filter: /^zod(\/|$)/ }, (args) => resolveZod(build, args));
      build.onResolve({ filter: /.*/, namespace: INSTALLATION_NAMESPACE }, (args) => resolveInstalled(build, args));
      build.onLoad({ filter: /.*/, namespace: INSTALLATION_NAMESPACE }, (args) => loadInstalled(args.path));
      build.onResolve({ filter: /.*/, namespace: "file" }, (args) => resolveLinked(build, folder, args));
      build.onLoad({ filter: /.*/, namespace: "file" }, (args) =>
        CODE.has(extname(args.path)) && args.with["type"] === undefined
          ? undefined
          : refuseForeignData(folder, args.path),
      );
    },
  };
}

function installed(path: string): OnResolveResult {
  return { path, namespace: INSTALLATION_NAMESPACE, sideEffects: false };
}

async function resolveZod(build: PluginBuild, args: OnResolveArgs): Promise<OnResolveResult | undefined> {
  if (args.pluginData === OWN_LOOKUP) return undefined;
  const { importer, resolveDir, kind, path } = args;
  if (args.namespace !== INSTALLATION_NAMESPACE) {
    const own = await build.resolve(path, { importer, resolveDir, kind, pluginData: OWN_LOOKUP });
    if (own.errors.length === 0) return { path: own.path, namespace: own.namespace, sideEffects: own.sideEffects };
  }
  const ours = await build.resolve(path, { resolveDir: INSTALLATION, kind, pluginData: OWN_LOOKUP });
  return ours.errors.length === 0 ? installed(relative(INSTALLATION, ours.path)) : undefined;
}

async function resolveInstalled(build: PluginBuild, args: OnResolveArgs): Promise<OnResolveResult | undefined> {
  // Our own sources and zod's name their files in full.
  if (args.path.startsWith(".")) return installed(join(dirname(args.importer), args.path));
  if (args.pluginData === OWN_LOOKUP) return undefined;
  const found = await build.resolve(args.path, { resolveDir: INSTALLATION, kind: args.kind, pluginData: OWN_LOOKUP });
  if (found.errors.length > 0) return { errors: found.errors };
  return found.external ? { path: found.path, external: true } : installed(relative(INSTALLATION, found.path));
}

async function loadInstalled(path: string): Promise<OnLoadResult> {
  const loader: Loader = path.endsWith(".ts") ? "ts" : "js";
  const text = await readFile(join(INSTALLATION, path), "utf8");
  return { contents: ZOD_ENTRY.test(path) ? leaveOutLocales(text) : text, loader };
}

const ZOD_ENTRY = /\/zod\/v4\/(core\/index|(classic|mini)\/external)\.js$/;
const LOCALES_EXPORT = /^export \* as locales from "\.\.\/locales\/index\.js";$/m;
const LOCALES_STUB = `export const locales = new Proxy({}, { get: (_, name) => {
  throw new Error("z.locales." + String(name) + " is not in a DAG's bundle; use: import { " + String(name) + " } from \\"zod/locales\\"");
} });`;

/** `z` drags in the messages of 50 languages: 40 % of a bundle, that every worker would load before its task. */
function leaveOutLocales(text: string): string {
  return text.replace(LOCALES_EXPORT, () => LOCALES_STUB);
}

/** A file that is itself a link may import what lies beside its target. */
async function resolveLinked(
  build: PluginBuild,
  folder: string,
  args: OnResolveArgs,
): Promise<OnResolveResult | undefined> {
  if (args.kind === "entry-point" || args.pluginData === OWN_LOOKUP || args.importer === "") return undefined;
  const target = await realpath(args.importer);
  if (target === join(await realpath(folder), relative(folder, args.importer))) return undefined;
  const { importer, resolveDir, kind, path } = args;
  for (const place of [resolveDir, dirname(target)]) {
    const found = await build.resolve(path, { importer, resolveDir: place, kind, pluginData: OWN_LOOKUP });
    if (found.errors.length > 0) continue;
    return { path: found.path, namespace: found.namespace, external: found.external, sideEffects: found.sideEffects };
  }
  return undefined;
}

/** The bundler may read what the scheduler may read, so data files from elsewhere (credentials!) must not get into a bundle. */
async function refuseForeignData(folder: string, path: string): Promise<OnLoadResult | undefined> {
  const [target, root] = await Promise.all([realpath(path), realpath(folder)]);
  if (target.startsWith(root + sep) || target.includes(`${sep}node_modules${sep}`)) return undefined;
  return {
    errors: [
      {
        text: `${relative(folder, path)} lies outside of the dags folder: a DAG can import data files from inside it only`,
      },
    ],
  };
}
