import { readFileSync } from 'node:fs'
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
      if (question.pid !== undefined) return usageOf(question.pid)
      const { user, system } = process.cpuUsage()
      return { cpuMicros: user + system, rssBytes: process.memoryUsage.rss() }
    }
    case 'load':
      return runLoad(question.order)
  }
}

/** From `/proc` (proc(5)): the 14th and 15th field of `stat` are its time in hundredths of a second. Linux only. */
function usageOf(pid: number) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return { cpuMicros: (Number(fields[11]) + Number(fields[12])) * 10_000, rssBytes: Number(kilobytes) * 1024 }
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
