// What the files of commands are given by the program that they add to.

import type { Configuration } from "./configuration.ts";

export interface CommandLine {
  readConfiguration: () => Configuration;
  print: (text: string) => void;
}
