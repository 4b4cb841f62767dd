import { appendFile } from 'node:fs/promises'
import { Browser, signInAndAllow } from '../flows/oauth-stand.ts'

/**
 * What a program gets that opens a browser: `node browser-program.ts LOG URL`. Ada signs in at the page, allows what is asked
 * for and goes where she is sent. LOG gets a line for it, and another when that did not work.
 */
const [log = '', url = ''] = process.argv.slice(2)
// Before anything else: the program goes on as soon as it has its answer, perhaps before this one is at its end.
await appendFile(log, `opened ${url}\n`)
try {
  const back = await signInAndAllow(new Browser(url), url)
  const response = await fetch(back)
  await response.body?.cancel()
  if (!response.ok) throw new Error(`${back.origin} answered ${response.status}`)
} catch (error) {
  await appendFile(log, `failed ${url} ${String(error).replaceAll('\n', ' ')}\n`)
}
