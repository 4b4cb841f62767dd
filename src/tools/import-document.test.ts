import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { GatewayError } from '../errors.ts'
import { importDocument } from './import-document.ts'

function description(operations: number, extra: Record<string, unknown> = {}): string {
  const paths: Record<string, unknown> = {}
  for (let index = 0; index < operations; index += 1) {
    const get = { operationId: `getThing${index}`, summary: 'A thing with a text that takes some room', responses: {} }
    paths[`/things${index}`] = { get }
  }
  return JSON.stringify({
    openapi: '3.1.0',
    info: { title: 'T', version: '1' },
    servers: [{ url: 'https://a.example' }],
    paths,
    ...extra,
  })
}

suite('importDocument', () => {
  test('reads a small document at once', async () => {
    assert.equal((await importDocument(description(3), {})).tools.length, 3)
  })

  test('reads a large document while everything else goes on', async () => {
    let turns = 0
    const ticking = setInterval(() => {
      turns += 1
    }, 1)
    const { tools } = await importDocument(description(4_000), {})
    clearInterval(ticking)
    assert.equal(tools.length, 4_000)
    assert.ok(turns > 5, `the loop went round ${turns} times`)
  })

  test('reads two large documents at a time, however many are asked for: each may take 1.5 GB', async () => {
    const threads = () => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length
    const before = threads()
    const reading = Array.from({ length: 6 }, () => importDocument(description(400), {}))
    let most = 0
    const done = Promise.all(reading.map((one) => one.then(() => (most = Math.max(most, threads() - before)))))
    most = Math.max(most, threads() - before)
    await done
    assert.ok(most >= 1 && most <= 2, `${most} at a time`)
    for (const one of reading) assert.equal((await one).tools.length, 400)
  })

  test('gives the same tools from a thread as at once', async () => {
    const small = await importDocument(description(3), {})
    const large = await importDocument(description(3, { 'x-filler': 'x'.repeat(300_000) }), {})
    assert.deepEqual(large, small)
  })

  test('tells what is wrong with a large document in the same words', async () => {
    await assert.rejects(importDocument(`<html>${' '.repeat(300_000)}</html>`, {}), (error) => {
      assert.ok(error instanceof GatewayError)
      assert.equal(error.code, 'document_invalid')
      assert.match(error.message, /web page/)
      return true
    })
  })
})
