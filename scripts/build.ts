import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')

/** Loaded only where somebody asks for them, so they stay packages of their own. */
const LOADED_WHEN_ASKED_FOR = [
  '@marcbachmann/cel-js',
  '@modelcontextprotocol/client',
  'ioredis',
  'oidc-provider',
  'openid-client',
]

/**
 * Makes what is published: everything that a start loads in a few files instead of some 800 (docs/decisions/0007-one-bundle.md).
 * The threads' main files stand beside the chunks, as `new URL('./…', import.meta.url)` expects them.
 */
async function buildPackage(): Promise<void> {
  rmSync(dist, { recursive: true, force: true })
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: {
      main: 'src/cli/main.ts',
      index: 'src/index.ts',
      'sqlite-worker': 'src/store/sqlite-worker.ts',
      'import-worker': 'src/tools/import-worker.ts',
    },
    outdir: 'dist',
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    external: LOADED_WHEN_ASKED_FOR,
    // Some libraries are CommonJS, and ask for Node's own modules by `require`.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    legalComments: 'none',
    minifyWhitespace: true,
    metafile: true,
    logLevel: 'warning',
  })
  writeFileSync(join(dist, 'THIRD-PARTY-NOTICES.txt'), notices(packagesOf(Object.keys(metafile.inputs))))
}

function packagesOf(inputs: readonly string[]): readonly string[] {
  const packages = inputs.map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0])
  return [...new Set(packages.filter((path) => path !== undefined))].sort()
}

/** The licences of all that is inside, word for word: most ask for that. @throws Error for a package without one. */
function notices(packages: readonly string[]): string {
  const parts = packages.map((path) => {
    const { name, version, license }: Record<string, unknown> = JSON.parse(
      readFileSync(join(root, path, 'package.json'), 'utf8'),
    )
    const [file] = globSync('{LICENSE,LICENCE,License,license}*', { cwd: join(root, path) })
    if (file === undefined) throw new Error(`${path} has no licence file: it cannot be a part of the package.`)
    const text = readFileSync(join(root, path, file), 'utf8').trim()
    return `${name} ${version} (${license})\n\n${text}\n`
  })
  return ['This program contains the following packages.\n', ...parts].join(`\n${'-'.repeat(80)}\n\n`)
}

await buildPackage()
