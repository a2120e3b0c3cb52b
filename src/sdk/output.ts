// The type-level picture of a task's result after its way through JSON. What JSON cannot carry (functions, Dates, Maps,
// class instances with methods, bigints) becomes `NotSerialisable`, which no input accepts.

declare const REJECTED: unique symbol;

/** A value that cannot be passed to another task: convert it (e.g. a Date with toISOString()) before returning it. */
export interface NotSerialisable<T> {
  readonly [REJECTED]: T;
}

type AnyFunction = (...args: never[]) => unknown;
type NotJson = AnyFunction | bigint | symbol | Error;

type IsAny<T> = 0 extends 1 & T ? true : false;

/** Methods mark the objects that JSON loses: Date, Map, Set, Promise, streams, class instances. */
type HasMethod<T> =
  IsAny<T[keyof T]> extends true ? false : [Extract<T[keyof T], AnyFunction>] extends [never] ? false : true;

/** What is absent reads as null. */
export type NullForUndefined<T> = undefined extends T ? Exclude<T, undefined> | null : T;

export type Serialised<T> = unknown extends T
  ? unknown
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends NotJson
      ? NotSerialisable<T>
      : T extends readonly unknown[]
        ? number extends T["length"]
          ? // Not as a mapped type: that would unfold recursive types without end.
            Serialised<NullForUndefined<T[number]>>[]
          : { [Index in keyof T]: Serialised<NullForUndefined<T[Index]>> }
        : HasMethod<T> extends true
          ? NotSerialisable<T>
          : { [Key in keyof T]: Serialised<T[Key]> };

/**
 * What downstream tasks get of a task function's awaited return type. `any` becomes `unknown`: an edge that cannot be
 * checked does not compile until the task's return type is declared.
 */
export type Output<T> = unknown extends T ? unknown : Serialised<T extends void ? null : T>;

/** The keys that `.get` takes: fields of objects, indices of arrays and tuples. */
export type KeyOf<T> = [T] extends [readonly unknown[]]
  ? number extends T["length"]
    ? number
    : TupleIndex<T>
  : [T] extends [object]
    ? keyof T & (string | number)
    : never;

type TupleIndex<T extends readonly unknown[]> =
  Exclude<keyof T, keyof []> extends infer Key ? (Key extends `${infer Index extends number}` ? Index : never) : never;

/** What `.get(key)` reads. A field or index that need not exist may be null. */
export type Field<T, Key> = T extends readonly unknown[]
  ? number extends T["length"]
    ? NullForUndefined<T[number] | undefined>
    : NullForUndefined<T[Key & keyof T]>
  : Key extends keyof T
    ? string extends keyof T
      ? NullForUndefined<T[Key] | undefined>
      : NullForUndefined<T[Key]>
    : never;
