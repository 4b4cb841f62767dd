import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Home, makeHome } from './program.ts'

/** A home folder on a machine with a browser, in front of which Ada sits. */
export interface Desktop extends Home {
  /** The URLs that were opened so far; fails when a sign-in did not work. */
  openedUrls(): Promise<readonly URL[]>
}

/** Makes one. Programs find the browser as on any desktop without a desktop environment: by `BROWSER`. */
export async function makeDesktop(): Promise<Desktop> {
  const home = await makeHome()
  const folder = home.env['HOME'] ?? ''
  const log = join(folder, 'opened.txt')
  const browser = join(folder, 'browser')
  const program = join(import.meta.dirname, 'browser-program.ts')
  await writeFile(browser, `#!/bin/sh\nexec '${process.execPath}' '${program}' '${log}' "$1"\n`, { mode: 0o700 })
  return {
    env: { ...home.env, BROWSER: browser, PATH: '/usr/local/bin:/usr/bin:/bin' },
    async openedUrls() {
      const lines = (await readFile(log, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '')
      return lines.map((line) => {
        const [, url = ''] = /^opened (\S+)$/.exec(line) ?? []
        if (url === '') throw new Error(`The sign-in did not work: ${line}`)
        return new URL(url)
      })
    },
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
  }
}
