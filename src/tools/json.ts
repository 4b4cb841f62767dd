/** A JSON object as it was read: nothing is known of its members. Its names are a stranger's, so read them with `member`. */
export type JsonObject = { readonly [key: string]: unknown }

/** Whether the value is a JSON object (not null, not an array). */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The own member of that name; undefined for a name that only `Object.prototype` has, and for what is not an object. */
export function member(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

/** The own member of that name when it is a text. */
export function textMember(value: unknown, name: string): string | undefined {
  const found = member(value, name)
  return typeof found === 'string' ? found : undefined
}

/** The elements of a list; none for anything else. */
export function elements(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** The texts in a list; none for anything else. */
export function texts(value: unknown): readonly string[] {
  return elements(value).filter((element) => typeof element === 'string')
}
