import { isLoopbackHost } from '../identify/key-set-url.ts'

/** The address as it may be shown: without user, password, query and fragment, any of which can hold a secret. */
export function shown(url: URL): string {
  return url.origin + url.pathname
}

/** Whether what is sent there can be read on the way: plain http to another machine. */
export function isOpenToReaders(url: URL): boolean {
  return url.protocol === 'http:' && !isLoopbackHost(url.hostname)
}

/** Whether two addresses differ in slashes only: at the end, or doubled in the path. */
export function differInSlashes(one: string, other: string): boolean {
  return one !== other && withoutSlashes(one) === withoutSlashes(other)
}

function withoutSlashes(address: string): string {
  return address.replace(/(?<!:)\/+/g, '/').replace(/\/$/, '')
}
