import type { StartContender } from './contender.ts'
import { runLoad } from './load.ts'
import { type Question, questionSchema } from './protocol.ts'

async function answer(question: Question): Promise<unknown> {
  switch (question.ask) {
    case 'start': {
      const loaded: { start: StartContender } = await import(new URL(question.module, import.meta.url).href)
      return loaded.start(question.setup)
    }
    case 'usage': {
      const { user, system } = process.cpuUsage()
      return { cpuMicros: user + system, rssBytes: process.memoryUsage.rss() }
    }
    case 'load':
      return runLoad(question.order)
  }
}

process.on('message', async (message) => {
  try {
    process.send?.({ ok: true, answer: await answer(questionSchema.parse(message)) })
  } catch (error) {
    process.send?.({ ok: false, error: String(error) })
  }
})
// The bench is gone, whatever the reason: nobody is left to answer.
process.on('disconnect', () => process.exit())
