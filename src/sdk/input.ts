// What may be passed to a task where its function takes a `T`: a literal, a reference to a `T`, or an object or array
// that has references anywhere inside.

import type { NotSerialisable } from "./output.ts";
import type { Reference } from "./reference.ts";

export type Input<T> = unknown extends T ? AnyInput : Reference<T> | Literal<T>;

type AnyFunction = (...args: never[]) => unknown;

type Literal<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends AnyFunction | bigint | symbol | Date | Error | ReadonlyMap<never, unknown> | ReadonlySet<never>
    ? NotSerialisable<T>
    : T extends readonly unknown[]
      ? number extends T["length"]
        ? // Not as a mapped type: that would unfold recursive types without end.
          readonly Input<T[number]>[]
        : { readonly [Index in keyof T]: Input<T[Index]> }
      : { readonly [Key in keyof T]: Input<T[Key]> };

type Serialisable = null | undefined | boolean | number | string | readonly Serialisable[] | SerialisableObject;
type SerialisableObject = { readonly [name: string]: Serialisable };

/** For inputs of type `unknown`: anything that JSON is known to carry. */
type AnyInput =
  | null
  | undefined
  | boolean
  | number
  | string
  | Reference<Serialisable>
  | readonly AnyInput[]
  | { readonly [name: string]: AnyInput };

/** A task without inputs. */
export type NoInput = Record<never, never>;

/** The arguments of a call: none, optional when every input is, else exactly one object. */
export type CallArguments<I extends object> = [keyof I] extends [never]
  ? []
  : Record<never, never> extends I
    ? [inputs?: { [Name in keyof I]: Input<I[Name]> }]
    : [inputs: { [Name in keyof I]: Input<I[Name]> }];
