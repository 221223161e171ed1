/** Lets so many attempts run at once; the others stand in line, so that a burst of them does not time itself out. */
export class Slots {
  #free: number;
  readonly #line: (() => void)[] = [];
  constructor(count: number) {
    this.#free = count;
  }
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((enter) => this.#line.push(enter));
    try {
      return await work();
    } finally {
      const enter = this.#line.shift();
      if (enter) enter();
      else this.#free += 1;
    }
  }
}
