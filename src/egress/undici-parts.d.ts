// The files that `undici.ts` takes; undici describes only its whole.
declare module 'undici/lib/core/connect.js' {
  import { buildConnector } from 'undici'
  export = buildConnector
}
declare module 'undici/lib/core/errors.js' {
  import { errors } from 'undici'
  export = errors
}
declare module 'undici/lib/dispatcher/pool.js' {
  import { Pool } from 'undici'
  export = Pool
}
