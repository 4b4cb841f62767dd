import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { suite, test } from 'node:test'
import { configReference } from './config-reference.ts'
import { doctorPage } from './doctor-causes.ts'

const root = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const pages = [...globSync('docs/**/*.md', { cwd: root }), 'README.md', 'ARCHITECTURE.md']

/** `[text](target)` links of a page, relative ones. */
function linksOf(page: string): readonly { text: string; target: string }[] {
  return [...read(page).matchAll(/\[([^\]]+)\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)/g)].map((match) => ({
    text: match[1] ?? '',
    target: join(dirname(page), match[2] ?? ''),
  }))
}

suite('the documents', () => {
  test('docs/reference/config.md is what the schemas say: run npm run docs after a change', () => {
    assert.equal(read('docs/reference/config.md'), configReference())
  })

  test('docs/guide/doctor.md has every cause as the source says it: run npm run docs after a change', () => {
    const page = read('docs/guide/doctor.md')
    assert.equal(page, doctorPage(page))
  })

  test('every relative link leads somewhere', () => {
    const broken = pages.flatMap((page) =>
      linksOf(page)
        .filter(({ target }) => !existsSync(join(root, target)))
        .map(({ target }) => `${page}: ${target}`),
    )
    assert.deepEqual(broken, [])
  })

  test('every proof that docs/features.md, threats.md and specs.md name is a test that exists', () => {
    const missing = ['docs/features.md', 'docs/threats.md', 'docs/specs.md'].flatMap((page) =>
      linksOf(page)
        .filter(({ target }) => target.endsWith('.test.ts') && existsSync(join(root, target)))
        .filter(({ text, target }) => !text.endsWith('.test.ts') && !read(target).includes(text.replaceAll('’', '’')))
        .map(({ text, target }) => `${page}: "${text}" is not in ${target}`),
    )
    assert.deepEqual(missing, [])
  })

  test('the README shows what the demo prints, step by step', () => {
    const excerpt = /<!-- demo:begin -->\n```\n([\s\S]*?)```\n<!-- demo:end -->/.exec(read('README.md'))?.[1] ?? ''
    const story = read('src/cli/demo-story.ts')
    const steps = excerpt.split('\n').filter((line) => line.startsWith('  ok'))
    assert.ok(steps.length >= 10)
    for (const step of steps) {
      const client = step.slice(6, 40).trim().replace(/ \d+$/, '')
      assert.ok(
        story.includes(client) || story.includes(client.replace(/(listUsers|getStats)$/, '$' + '{name}')),
        client,
      )
    }
  })

  test('no page and no source names a path of the machine it was written on, or a download address', () => {
    const sources = globSync('{src,test,docs,bin}/**/*.{ts,js,md}', { cwd: root })
    const marks = [
      ['/wo', 'rk/'],
      ['/ro', 'ot/'],
      ['/fa', 'rm/'],
    ].map((parts) => parts.join(''))
    const found = [...sources, ...pages, 'package.json'].filter((path) =>
      marks.some((mark) => read(path).includes(mark)),
    )
    assert.deepEqual(found, [])
    assert.doesNotMatch(read('package-lock.json'), /"resolved":\s*"http/)
  })
})
