import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { type Revision, runSuite, type Scenario } from './run-suite.ts'

const REVISIONS: readonly Revision[] = ['2026-07-28', '2025-11-25']

/** What a server cannot pass because of what it is, and why. */
export interface Exception {
  readonly reason: string
  /** Whole scenarios by their name, or one check as `scenario:check`. */
  readonly of: readonly string[]
}

/**
 * Runs the official conformance suite against the server at `url`, once for each revision, and makes a test of every scenario.
 *
 * Every scenario has to pass, also those that a revision only reports, but for the exceptions; and those have to fail, so that
 * none outlives its reason.
 */
export async function assertConformance(
  t: TestContext,
  url: string,
  exceptions: readonly Exception[] = [],
): Promise<void> {
  const excepted = new Map(exceptions.flatMap(({ reason, of }) => of.map((name) => [name, reason])))
  const failed = new Set<string>()
  for (const revision of REVISIONS) {
    const { scenarios, report } = await runSuite(url, revision)
    for (const scenario of scenarios) {
      const { name, isRequired, failures } = scenario
      for (const { check } of failures) failed.add(name).add(`${name}:${check}`)
      const reason = excepted.get(name)
      const remark = reason === undefined ? (isRequired ? '' : ' (not required)') : `, which does not apply: ${reason}`
      await t.test(`${revision}: ${name}${remark}`, () => assertScenario(scenario, excepted, report))
    }
  }
  await t.test('every exception is still one', () => {
    assert.deepEqual(
      [...excepted.keys()].filter((name) => !failed.has(name)),
      [],
    )
  })
}

/** One scenario: nothing fails in it but what is excepted. */
export function assertScenario(
  { name, failures }: Scenario,
  excepted: ReadonlyMap<string, string>,
  report: string,
): void {
  if (excepted.has(name)) {
    assert.ok(failures.length > 0, `${name} passes now: take it off the list of exceptions.`)
    return
  }
  const unexpected = failures.filter(({ check }) => !excepted.has(`${name}:${check}`))
  assert.ok(unexpected.length === 0, `${JSON.stringify(unexpected, undefined, 2)}\n${report}`)
}
