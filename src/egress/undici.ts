import type undici from 'undici'
import connect from 'undici/lib/core/connect.js'
import undiciErrors from 'undici/lib/core/errors.js'
import UndiciPool from 'undici/lib/dispatcher/pool.js'

// Three files of undici instead of the whole: its fetch, caches and mocks, which nobody here uses, would cost every start
// 40 ms and 10 MB. The version is pinned exactly, and every test of this room runs through them.

/** Keep-alive connections to one origin. */
export const Pool: typeof undici.Pool = UndiciPool

/** Makes the connections of a pool. */
export const buildConnector: typeof undici.buildConnector = connect

/** What undici throws. */
export const errors: typeof undici.errors = undiciErrors
