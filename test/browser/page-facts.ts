import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { z } from 'zod'

const contrasts = z.array(z.object({ of: z.string(), contrast: z.number() }))
const facts = z.object({
  /** What has the focus: its label or its text; the outline is `none` when nobody can see that it has. */
  focus: z.object({ name: z.string(), outline: z.string() }),
  /** Of everything, also what would have to be scrolled to. CSS pixels. */
  width: z.number(),
  /** Of fields and buttons. CSS pixels. */
  controlHeights: z.array(z.number()),
  /** How texts stand out from what is behind them, and the borders of fields and buttons (WCAG 2.2, contrast ratio). */
  texts: contrasts,
  borders: contrasts,
  /** Relative luminance of what the text stands on: 0 is black, 1 is white. */
  ground: z.number(),
})

export type PageFacts = z.output<typeof facts>

/** What the browser has made of the page. */
export async function factsOf(page: Page): Promise<PageFacts> {
  return facts.parse(await page.evaluate(await readFile(join(import.meta.dirname, 'in-page.js'), 'utf8')))
}
