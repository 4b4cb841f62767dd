import { execFile } from 'node:child_process'
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

const INSTALL_TIMEOUT_MS = 300_000
/** Outside the repository: they and their trees are measured, never built upon. */
const cache = join(homedir(), '.cache', 'gatehouse-bench')
const run = promisify(execFile)

/** A package that takes part without being a dependency of ours. */
export interface Peer {
  readonly name: string
  readonly version: string
  /** The file that its `import` names, since it lies where Node does not look for it. */
  readonly main: string
}

export const mcpUse: Peer = { name: 'mcp-use', version: '2.5.2', main: 'dist/index-node.js' }
export const fastMcp: Peer = { name: 'fastmcp', version: '4.20.16', main: 'dist/FastMCP.js' }

/** Fetches the package and what it needs unless it is here already; no install script is run. Gives the reason when it cannot. */
export async function fetchPeer(peer: Peer): Promise<string | undefined> {
  const folder = folderOf(peer)
  const isHere = await access(folder).then(
    () => true,
    () => false,
  )
  if (isHere) return undefined
  try {
    await install(peer, folder)
    return undefined
  } catch (error) {
    const detail = error instanceof Error ? error.message.split('\n').slice(0, 2).join(' ') : String(error)
    return `${peer.name}@${peer.version} could not be fetched from the npm registry: ${detail}`
  }
}

/** The address of a file of the fetched package, to be imported. */
export function peerFile(peer: Peer, file = peer.main): string {
  return pathToFileURL(join(folderOf(peer), 'node_modules', peer.name, file)).href
}

function folderOf({ name, version }: Peer): string {
  return join(cache, `${name}-${version}`)
}

/** Installs beside, then renames: a folder that is there is whole. */
async function install({ name, version }: Peer, folder: string): Promise<void> {
  await mkdir(cache, { recursive: true })
  const work = await mkdtemp(join(cache, 'fetch-'))
  const flags = ['--silent', '--no-audit', '--no-fund', '--ignore-scripts', '--omit=optional', '--legacy-peer-deps']
  try {
    await run('npm', ['install', '--prefix', work, ...flags, `${name}@${version}`], { timeout: INSTALL_TIMEOUT_MS })
    await rename(work, folder)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
