import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'

const NAMES = ['redis-server', 'valkey-server']
const FOLDERS = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin', '/usr/local/sbin', '/usr/sbin']
/** Asked by every package that wants to start its service (Debian policy, invoke-rc.d). */
const POLICY = '/usr/sbin/policy-rc.d'
const INSTALL_TIMEOUT_MS = 180_000

/** Why the tests with Redis are left out; undefined when they can run. With CI=true it is an error. */
export function redisIsMissing(): string | undefined {
  if (findRedis() !== undefined) return undefined
  const missing = 'redis-server is not installed: apt-get install redis-server, or brew install redis'
  if (process.env['CI'] === 'true') throw new Error(missing)
  return missing
}

/** Where the program is. On Debian, as root, it is installed first; its service is not started. */
export function findRedis(): string | undefined {
  const found = lookForRedis()
  if (found !== undefined || !existsSync('/usr/bin/apt-get') || process.getuid?.() !== 0) return found
  const isPolicyOurs = !existsSync(POLICY)
  if (isPolicyOurs) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    // Other test files may do the same at this moment: apt waits for its lock.
    const wait = ['-qq', '-o', 'DPkg::Lock::Timeout=120']
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    const run = (...args: readonly string[]) =>
      spawnSync('/usr/bin/apt-get', [...wait, ...args], { env, stdio: 'ignore', timeout: INSTALL_TIMEOUT_MS }).status
    const install = () => run('install', '-y', '--no-install-recommends', 'redis-server')
    if (install() !== 0 && run('update') === 0) install()
  } finally {
    if (isPolicyOurs) rmSync(POLICY, { force: true })
  }
  return lookForRedis()
}

function lookForRedis(): string | undefined {
  return NAMES.flatMap((name) => FOLDERS.map((folder) => `${folder}/${name}`)).find((path) => existsSync(path))
}
