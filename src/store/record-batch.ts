import { recordText } from './record-text.ts'
import type { NewRecordRow } from './schema.ts'

const BYTES = 256 * 1024
const LINE_END = 0x0a
/** So many bytes of UTF-8 at most for one unit of a text. */
const BYTES_PER_UNIT = 3

/**
 * New records on their way to the store: the JSON text of each in a line, as UTF-8 in memory that the store's thread sees too.
 *
 * Outside the heap on purpose: hundreds of texts that live for a moment outlive several small collections of garbage, and then
 * fill the room of what lives long (measured: with a young generation of 8 MB a tenth of the time of each call).
 */
export class RecordBatch {
  #memory: Buffer
  #length = 0
  #count = 0

  /** A quarter of a megabyte, unless told. */
  constructor(bytes = BYTES) {
    this.#memory = memoryOf(bytes)
  }

  /** A batch of these records. */
  static of(...rows: readonly NewRecordRow[]): RecordBatch {
    const batch = new RecordBatch(rows.reduce((bytes, row) => bytes + bytesMaxOf(recordText(row)), 0))
    for (const row of rows) batch.add(row)
    return batch
  }

  get count(): number {
    return this.#count
  }

  /** The lines, each with its end. They change with `add` and `clear`. */
  get lines(): Uint8Array {
    return this.#memory.subarray(0, this.#length)
  }

  /** Adds the record; false when there is no room for it. The first one always has room. */
  add(row: NewRecordRow): boolean {
    const text = recordText(row)
    const bytesMax = bytesMaxOf(text)
    if (this.#length + bytesMax > this.#memory.length) {
      if (this.#count > 0) return false
      this.#memory = memoryOf(bytesMax)
    }
    this.#length += this.#memory.write(text, this.#length)
    this.#memory[this.#length] = LINE_END
    this.#length += 1
    this.#count += 1
    return true
  }

  /** Makes it empty, to be filled again: only when nobody reads it any more. */
  clear(): void {
    this.#length = 0
    this.#count = 0
  }
}

function bytesMaxOf(text: string): number {
  return text.length * BYTES_PER_UNIT + 1
}

function memoryOf(bytes: number): Buffer {
  return Buffer.from(new SharedArrayBuffer(bytes))
}

/** The records of a batch, one after the other, each as the list of its values. */
export function* recordsIn<Value>(lines: Uint8Array): Iterable<Value[]> {
  const bytes = Buffer.from(lines.buffer, lines.byteOffset, lines.byteLength)
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(LINE_END, start)
    yield JSON.parse(bytes.toString('utf8', start, end))
    start = end + 1
  }
}
