import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cp, mkdir, readFile, symlink } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { z } from 'zod'
import { Folder } from './gatehouse-process.ts'

const root = join(import.meta.dirname, '../..')
const NEEDED = ['bin', 'src', 'scripts', 'package.json', 'tsconfig.json', 'tsconfig.build.json', 'README.md', 'LICENSE']
const packed = z.array(z.object({ filename: z.string(), files: z.array(z.object({ path: z.string() })) }))
const manifest = z.object({ bin: z.record(z.string(), z.string()), exports: z.unknown(), version: z.string() })

/** npm as a user runs it: not as a part of the `npm test` that may have started this process. */
function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^npm_/i.test(name) || /^npm_config_(registry|cache|userconfig|cafile|\w*proxy)$/i.test(name),
  )
  const path = [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter)
  return { ...Object.fromEntries(own), PATH: path, NO_COLOR: '1' }
}

function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env: environment(), stdio: 'pipe', shell: process.platform === 'win32' })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(stdout)
      else reject(new Error(`${command} ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`))
    })
  })
}

/** The paths that `exports` leads to, however deep its conditions are. */
function targetsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(targetsOf) : []
}

suite('the npm package', () => {
  let folder: Folder
  let tarball = ''
  let paths: readonly string[] = []

  before(async () => {
    folder = await Folder.make()
    const clone = folder.file('clone')
    for (const name of NEEDED) await cp(join(root, name), join(clone, name), { recursive: true })
    await symlink(join(root, 'node_modules'), join(clone, 'node_modules'), 'junction')
    // Its prepack script builds.
    const [result] = packed.parse(JSON.parse(await run('npm', ['pack', '--json', '--loglevel=error'], clone)))
    tarball = join(clone, result?.filename ?? '')
    paths = result?.files.map(({ path }) => path) ?? []
  })
  after(() => folder[Symbol.asyncDispose]())

  test('holds what runs and what a licence asks for: no sources, no tests, nothing of this machine', () => {
    const wanted =
      /^(bin\/[\w-]+\.js|dist\/[\w-]+\.js|dist\/types\/.+\.d\.ts|dist\/THIRD-PARTY-NOTICES\.txt|package\.json|README\.md|LICENSE)$/
    assert.deepEqual(
      paths.filter((path) => !wanted.test(path)),
      [],
    )
    assert.deepEqual(
      paths.filter((path) => /test-support|\.test\.|\/testing\/|store-contract/.test(path)),
      [],
    )
    const expected = ['bin/gatehouse.js', 'dist/main.js', 'dist/THIRD-PARTY-NOTICES.txt', 'LICENSE', 'README.md']
    for (const path of expected) assert.ok(paths.includes(path), path)
  })

  test('installs into an empty folder, finds everything it names, and its demo works', async () => {
    const home = folder.file('empty')
    await mkdir(home)
    // By default npm waits 10 s and then 60 s before it repeats a request that has failed.
    const patience = ['--prefer-offline', '--fetch-retry-mintimeout=500', '--fetch-retry-maxtimeout=2000']
    await run('npm', ['install', tarball, '--ignore-scripts', '--no-audit', '--no-fund', ...patience], home)
    const installed = join(home, 'node_modules/mcp-gatehouse')
    const { bin, exports, version } = manifest.parse(
      JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')),
    )
    for (const target of [...Object.values(bin), ...targetsOf(exports)]) {
      assert.ok(paths.includes(target.replace('./', '')), `${target} is not in the package`)
    }
    const program = join(installed, bin['gatehouse'] ?? '')
    const { code, stdout, stderr } = await folder.run(['demo', '--once'], { program })
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' }, stdout)
    assert.match(stdout, /\nEvery step was right\.\n$/)
    assert.equal((await folder.run(['--version'], { program })).stdout, `${version}\n`)
  })

  test('finds what it loads only when somebody asks for it: the authorization server, the language of rules', async () => {
    const program = join(folder.file('empty'), 'node_modules/mcp-gatehouse/bin/gatehouse.js')
    const rules = [{ effect: 'deny', when: `caller.subject == 'nobody'` }]
    const workspace = { name: 'shop', source: 'api.json', auth: { authType: 'oauth' }, access: { rules } }
    const document = {
      openapi: '3.1.0',
      info: { title: 'Shop', version: '1' },
      paths: {},
      servers: [{ url: 'http://127.0.0.1:1' }],
    }
    await folder.write('api.json', JSON.stringify(document))
    await folder.write('gatehouse.yaml', JSON.stringify({ port: 0, workspaces: [workspace] }))
    await using gateway = await folder.start([], { program })
    const metadata = await fetch(`${gateway.url}/.well-known/oauth-authorization-server`)
    assert.equal(metadata.status, 200)
    const known = z.object({ issuer: z.string(), jwks_uri: z.string() }).parse(await metadata.json())
    assert.equal(known.issuer, gateway.url)
    assert.equal((await fetch(known.jwks_uri)).status, 200)
  })
})

suite('on a Node that is too old', () => {
  test('gatehouse says in one line what it needs, and ends with 1', async () => {
    await using folder = await Folder.make()
    const program = folder.file('old.mjs')
    const url = new URL('../../bin/gatehouse.js', import.meta.url).href
    await folder.write(
      'old.mjs',
      `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })
       await import(${JSON.stringify(url)})`,
    )
    const { code, stdout, stderr } = await folder.run(['start'], { program })
    assert.deepEqual({ code, stdout }, { code: 1, stdout: '' })
    assert.match(stderr, /^Gatehouse needs Node 24 or later; this is Node 20\.20\.2\. [^\n]+\n$/)
  })
})
