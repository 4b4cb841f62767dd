/** How many lists are remembered, and how many characters they may have together, for one workspace. */
const LISTS_MAX = 100
const CHARACTERS_MAX = 20_000_000

/** One tool as it stands in the list of all: how many characters of it are its own. */
export interface ListedTool {
  readonly name: string
  readonly length: number
}

/** Lists of some of the tools of a workspace: each set of tools is joined once, and the sets are few, since permissions make them. */
export class ToolLists {
  readonly #tools: readonly ListedTool[]
  readonly #all: string
  readonly #remembered = new Map<string, string>()
  #characters = 0

  /** `all` is the JSON text of an array of these tools, in their order, with nothing but a comma between two. */
  constructor(tools: readonly ListedTool[], all: string) {
    this.#tools = tools
    this.#all = all
  }

  /** The JSON text of an array with the tools that may be seen. */
  of(isVisible: (name: string) => boolean): string {
    const visible = this.#tools.map(({ name }) => isVisible(name))
    if (!visible.includes(false)) return this.#all
    const key = visible.map((one) => (one ? '1' : '0')).join('')
    const known = this.#remembered.get(key)
    if (known !== undefined) return known
    const list = this.#join(visible)
    this.#remember(key, list)
    return list
  }

  /** Cut from the list of all: the text is in memory once. */
  #join(visible: readonly boolean[]): string {
    let start = 1
    const parts: string[] = []
    for (const [index, { length }] of this.#tools.entries()) {
      if (visible[index] === true) parts.push(this.#all.slice(start, start + length))
      start += length + 1
    }
    return `[${parts.join(',')}]`
  }

  /** Callers choose which sets there are, so old ones go: they are joined again when they come back. */
  #remember(key: string, list: string): void {
    const size = key.length + list.length
    if (this.#remembered.size >= LISTS_MAX || this.#characters + size > CHARACTERS_MAX) {
      this.#remembered.clear()
      this.#characters = 0
    }
    if (size > CHARACTERS_MAX) return
    this.#remembered.set(key, list)
    this.#characters += size
  }
}
