// How DAG files are compiled for their types where their author does not say otherwise: as the bundler reads them.

export const DAGS_FOLDER_COMPILER_OPTIONS = {
  target: "esnext",
  lib: ["esnext"],
  module: "preserve",
  moduleResolution: "bundler",
  types: ["node"],
  strict: true,
  noUncheckedIndexedAccess: true,
  isolatedModules: true,
  allowImportingTsExtensions: true,
  resolveJsonModule: true,
  skipLibCheck: true,
  noEmit: true,
};
