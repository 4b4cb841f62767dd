import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { suite, test } from 'node:test'

// The rooms in order: a file imports its own room and those above it, types included. Moving one is a decision to write down.
const ROOMS =
  'errors crypto egress http store records limits accounts workspaces tokens identify tools authorize credentials upstream mcp oauth manage doctor api config gateway app server library index test-api testing cli'.split(
    ' ',
  )
const root = join(import.meta.dirname, '..')
const source = join(root, 'src')
const files = globSync('**/*.ts', { cwd: source }).map((path) => ({
  path,
  text: readFileSync(join(source, path), 'utf8'),
}))
const shipped = files.filter(
  ({ path }) => !/\.test(-support)?\.ts$|contract\.ts$/.test(path) || path === 'api/contract.ts',
)

function roomOf(path: string): string {
  return path.split('/')[0]?.replace(/\.ts$/, '') ?? ''
}

/** Without comments, the content of strings, and import and export lists. */
function codeOf(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '')
    .replace(/^(?:import|export) [^']*?from '.*$/gm, '')
    .replace(/'(?:[^'\\\n]|\\.)*'|`[^`]*`/g, "''")
}

function importsOf(text: string): readonly string[] {
  return [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map((match) => match[1] ?? '')
}

suite('the house', () => {
  test('every file stands in a room of the list', () => {
    assert.deepEqual(
      [...new Set(files.map(({ path }) => roomOf(path)))].filter((room) => !ROOMS.includes(room)),
      [],
    )
  })

  test('imports point left', () => {
    const wrong = shipped.flatMap(({ path, text }) =>
      importsOf(text)
        .map((target) => relative(source, join(source, dirname(path), target)))
        .filter((target) => ROOMS.indexOf(roomOf(target)) > ROOMS.indexOf(roomOf(path)))
        .map((target) => `${path} imports ${target}`),
    )
    assert.deepEqual(wrong, [])
  })

  const rules = [
    {
      name: 'SQL stands only in store/',
      pattern: /\b(SELECT .+ FROM|INSERT INTO|CREATE TABLE|DELETE FROM|PRAGMA)\b/,
      rooms: ['store'],
    },
    { name: 'the environment is read only in config.ts', pattern: /process\.env\b/, rooms: ['config'] },
    {
      name: 'outgoing calls are made only in egress/, and by the clients of tests',
      pattern: /(?<![.\w#])(?<!function |async |#)fetch\(|from 'undici|\b(?:https?|net|tls)\.(?:request|connect)\(/,
      rooms: ['egress', 'testing'],
    },
    { name: 'console is for nobody', pattern: /\bconsole\./, rooms: [] },
    {
      name: 'standard output is written only by commands and the log',
      pattern: /process\.(stdout|stderr)/,
      rooms: ['cli', 'records'],
    },
    {
      name: 'no cast but as const (Biome holds any and !)',
      pattern: /\bas (?:[A-Z{(]|string|number|boolean|unknown|never|readonly|typeof|keyof)/,
      rooms: [],
    },
    {
      name: 'no source starts a program, so no text can become a command (THREATS.md, T16)',
      pattern: /['"](?:node:)?child_process['"]|\bprocess\.(?:binding|dlopen|execve)\b/,
      rooms: [],
    },
    { name: 'one file maps errors to answers', pattern: /WWW-Authenticate'\s*:/, rooms: ['http'] },
  ]
  for (const { name, pattern, rooms } of rules) {
    test(name, () => {
      const found = shipped.filter(
        ({ path, text }) =>
          !rooms.includes(roomOf(path)) && pattern.test(name.startsWith('no cast') ? codeOf(text) : text),
      )
      assert.deepEqual(
        found.map(({ path }) => path),
        [],
      )
    })
  }

  test('no file is longer than 400 lines, tests included', () => {
    assert.deepEqual(
      files.filter(({ text }) => text.split('\n').length > 401).map(({ path }) => path),
      [],
    )
  })

  test('no room or file is a drawer for anything', () => {
    assert.deepEqual(
      files.map(({ path }) => path).filter((path) => /\b(utils?|helpers?|common|misc|services?)\b/.test(path)),
      [],
    )
  })

  test('only src/index.ts is a barrel', () => {
    assert.deepEqual(
      files.map(({ path }) => path).filter((path) => path.endsWith('index.ts') && path !== 'index.ts'),
      [],
    )
  })
})
