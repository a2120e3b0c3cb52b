import { expect, test } from "vitest";
import { isImage } from "./image.ts";

test.each([
  "busybox",
  "python:3.12-slim",
  "library/python:3",
  "registry.example/team/etl_a__b.c-d---e:1.0_RC-2",
  "localhost:5000/etl",
  "Registry.Example.com/etl",
  "Host/etl",
  "[2001:db8::1]:5000/etl:1",
  `etl@sha256:${"a1".repeat(32)}`,
  `registry.example/etl:7@sha256:${"a1".repeat(32)}`,
])("%s is an image", (name) => {
  expect(isImage(name)).toBe(true);
});

test.each([
  "",
  " busybox",
  "Python:3",
  "registry.example/Team/etl",
  "python:",
  "python:3:4",
  "python:-3",
  "https://registry.example/etl",
  "etl@sha256:abc",
  "etl/",
  "/etl",
  "etl//a",
  "etl-",
  "a".repeat(64).concat("$(TAG)"),
  "undefined:${tag}",
])("%s is none", (name) => {
  expect(isImage(name)).toBe(false);
});
