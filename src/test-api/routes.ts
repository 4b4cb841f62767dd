import { type Inventory, type NewItem, users } from './inventory.ts'
import { field, type Reply, refusal, textField } from './wire.ts'

/** The most items that one `listItems` returns, and the default. */
export const LIST_LIMIT_MAX = 100
/** The longest name and description of an item. */
export const TEXT_LENGTH_MAX = 200

/** One call of an operation, already let in. */
export interface ApiCall {
  readonly inventory: Inventory
  /** The `{id}` of the path, still encoded; empty when the path has none. */
  readonly id: string
  readonly query: URLSearchParams
  readonly body: unknown
  /** Who calls, as the mode knows it: a username, or a word for the shared key. */
  readonly caller: string
  /** Calls let in since the start, this one included. */
  readonly calls: number
}

/** One operation of the API. */
export interface Route {
  readonly operationId: string
  readonly method: string
  readonly path: string
  readonly answer: (call: ApiCall) => Reply
}

/** Every operation there is; `document.ts` describes the same five. */
export const routes: readonly Route[] = [
  { operationId: 'listItems', method: 'GET', path: '/api/items', answer: listItems },
  { operationId: 'createItem', method: 'POST', path: '/api/items', answer: createItem },
  { operationId: 'deleteItem', method: 'DELETE', path: '/api/items/{id}', answer: deleteItem },
  { operationId: 'listUsers', method: 'GET', path: '/api/users', answer: () => ({ status: 200, body: { users } }) },
  { operationId: 'getStats', method: 'GET', path: '/api/stats', answer: getStats },
]

/** The route of a request, or why there is none. */
export type Found =
  | { readonly ok: true; readonly route: Route; readonly id: string }
  | { readonly ok: false; readonly reply: Reply }

/** Finds the route: 404 when no route has the path, 405 with `Allow` when none of those has the method. */
export function findRoute(method: string, path: string): Found {
  const itemPath = /^(\/api\/items)\/([^/]+)$/.exec(path)
  const template = itemPath ? `${itemPath[1]}/{id}` : path
  const candidates = routes.filter((route) => route.path === template)
  const route = candidates.find((candidate) => candidate.method === method)
  if (route) return { ok: true, route, id: itemPath?.[2] ?? '' }
  if (candidates.length === 0) return { ok: false, reply: refusal(404, 'NOT_FOUND', 'There is nothing at this path.') }
  const allow = candidates.map((candidate) => candidate.method).join(', ')
  return {
    ok: false,
    reply: refusal(405, 'METHOD_NOT_ALLOWED', `This path takes ${allow}.`, { allow }),
  }
}

function listItems({ inventory, query }: ApiCall): Reply {
  const limit = Number(query.get('limit') ?? LIST_LIMIT_MAX)
  if (!Number.isInteger(limit) || limit < 1 || limit > LIST_LIMIT_MAX) {
    return refusal(400, 'INVALID_LIMIT', `limit is a whole number from 1 to ${LIST_LIMIT_MAX}.`)
  }
  const items = inventory.list({ search: query.get('search') ?? '', limit })
  return { status: 200, body: { items, total: inventory.size } }
}

function createItem({ inventory, body }: ApiCall): Reply {
  const checked = checkNewItem(body)
  if (!checked.ok) return refusal(400, 'INVALID_ITEM', checked.message)
  const item = inventory.add(checked.item)
  if (!item) return refusal(409, 'INVENTORY_FULL', 'Delete an item first.')
  return { status: 201, body: item }
}

type CheckedItem = { readonly ok: true; readonly item: NewItem } | { readonly ok: false; readonly message: string }

function checkNewItem(body: unknown): CheckedItem {
  const name = textField(body, 'name')?.trim()
  if (!name) return { ok: false, message: 'name is required.' }
  const description = field(body, 'description') ?? ''
  if (typeof description !== 'string') return { ok: false, message: 'description is a text.' }
  if (Math.max(name.length, description.length) > TEXT_LENGTH_MAX) {
    return { ok: false, message: `name and description may have ${TEXT_LENGTH_MAX} characters.` }
  }
  const price = field(body, 'price') ?? 0
  if (typeof price !== 'number' || price < 0) return { ok: false, message: 'price is a number from 0 up.' }
  return { ok: true, item: { name, description, price } }
}

function deleteItem({ inventory, id }: ApiCall): Reply {
  if (!/^[1-9]\d{0,9}$/.test(id) || !inventory.remove(Number(id))) {
    return refusal(404, 'ITEM_NOT_FOUND', 'There is no item with this id.')
  }
  return { status: 200, body: { deleted: true, id: Number(id) } }
}

function getStats({ inventory, caller, calls }: ApiCall): Reply {
  return { status: 200, body: { items: inventory.size, users: users.length, calls, requestedBy: caller } }
}
