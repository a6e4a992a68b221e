// What browsers have, and the TypeScript of Debian does not know yet.
interface Array<T> {
  findLast(predicate: (value: T, index: number, array: T[]) => unknown): T | undefined;
  findLastIndex(predicate: (value: T, index: number, array: T[]) => unknown): number;
}
declare class DecompressionStream {
  constructor(format: string);
}
