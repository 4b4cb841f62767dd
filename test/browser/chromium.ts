import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const PLACES = [
  ...['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/usr/bin/google-chrome-stable'],
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
]
const INSTALL_TIMEOUT_MS = 180_000

/** As few calls home as it can be told to make; no sandbox, since tests run as root in containers. */
const FLAGS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync'],
]

/** Why the tests with a browser are left out; undefined when they can run. With CI=true it is an error. */
export function chromiumIsMissing(): string | undefined {
  if (findChromium() !== undefined) return undefined
  const missing = 'Chromium is not installed: apt-get install chromium, or brew install --cask chromium'
  if (process.env['CI'] === 'true') throw new Error(missing)
  return missing
}

/** Starts it headless, with a profile of its own that is removed at the end. */
export async function startChromium(): Promise<AsyncDisposable & { readonly browser: Browser }> {
  const executablePath = lookForChromium()
  if (executablePath === undefined) throw new Error('Chromium is not installed')
  const browser = await chromium.launch({ executablePath, args: FLAGS })
  return { browser, [Symbol.asyncDispose]: () => browser.close() }
}

/** Where the program is. On Debian, as root, it is installed first. */
function findChromium(): string | undefined {
  const found = lookForChromium()
  if (found !== undefined || !existsSync('/usr/bin/apt-get') || process.getuid?.() !== 0) return found
  // Other test files may do the same at this moment: apt waits for its lock.
  const wait = ['-qq', '-o', 'DPkg::Lock::Timeout=120']
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const run = (...args: readonly string[]) =>
    spawnSync('/usr/bin/apt-get', [...wait, ...args], { env, stdio: 'ignore', timeout: INSTALL_TIMEOUT_MS }).status
  const install = () => run('install', '-y', '--no-install-recommends', 'chromium')
  if (install() !== 0 && run('update') === 0) install()
  return lookForChromium()
}

function lookForChromium(): string | undefined {
  return PLACES.find((path) => existsSync(path))
}
