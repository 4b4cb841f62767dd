const ITEMS_MAX = 1000

/** One thing in the demo shop. */
export interface Item {
  readonly id: number
  readonly name: string
  readonly description: string
  readonly price: number
  readonly createdAt: string
}

/** One of the two people who can sign in. */
export interface User {
  readonly id: number
  readonly username: string
  readonly name: string
  readonly role: 'admin' | 'member'
}

/** What is needed to make an item. */
export interface NewItem {
  readonly name: string
  readonly description: string
  readonly price: number
}

/** The people whom `GET /api/users` lists. */
export const users: readonly User[] = [
  { id: 1, username: 'admin', name: 'Ada Admin', role: 'admin' },
  { id: 2, username: 'alice', name: 'Alice Archer', role: 'member' },
]

/** The items, in memory: a restart brings the first three back. Holds at most 1,000. */
export interface Inventory {
  list(filter: { readonly search: string; readonly limit: number }): readonly Item[]
  /** The new item, or undefined when the inventory is full. */
  add(item: NewItem): Item | undefined
  /** Whether there was such an item. */
  remove(id: number): boolean
  readonly size: number
}

/** An inventory with a few items in it. `now` is in milliseconds. */
export function createInventory(now: () => number): Inventory {
  const items = new Map<number, Item>()
  let lastId = 0
  const add = (item: NewItem) => {
    if (items.size >= ITEMS_MAX) return undefined
    lastId += 1
    const added: Item = { id: lastId, ...item, createdAt: new Date(now()).toISOString() }
    items.set(lastId, added)
    return added
  }
  for (const item of firstItems) add(item)
  return {
    add,
    list: ({ search, limit }) => {
      const wanted = search.toLowerCase()
      return [...items.values()].filter((item) => item.name.toLowerCase().includes(wanted)).slice(0, limit)
    },
    remove: (id) => items.delete(id),
    get size() {
      return items.size
    },
  }
}

const firstItems: readonly NewItem[] = [
  { name: 'Desk lamp', description: 'Warm light, two joints', price: 34.5 },
  { name: 'Notebook', description: 'Dotted, 120 pages', price: 9.9 },
  { name: 'Fountain pen', description: 'Medium nib, blue ink', price: 48 },
]
