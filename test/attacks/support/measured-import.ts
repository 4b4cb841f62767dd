import { peakMemoryMb } from '../../../src/testing/peak-memory.ts'
import { startRecordingApi } from '../../../src/testing/recording-api.ts'
import { startGateway } from '../../../src/testing/start-gateway.ts'
import { at, callApi } from './client.ts'
import { HOSTILE_DOCUMENTS } from './hostile-documents.ts'

// Runs on import: the main file of a process that imports one hostile document by URL and says how much memory that took.
const build = Object.entries(HOSTILE_DOCUMENTS).find(([name]) => name === process.argv[2])?.[1]
if (build === undefined) throw new Error(`There is no document ${process.argv[2]}.`)
const content = build('https://api.example')
await using site = await startRecordingApi(() => ({ status: 200, text: { content, type: 'text/plain' } }))
await using gateway = await startGateway()
const answer = await callApi(gateway, 'POST', '/api/workspaces', { name: 'hostile', source: { url: site.url } })
const said = { status: answer.status, detail: at(answer.json, 'detail'), peakMb: peakMemoryMb() }
process.stdout.write(JSON.stringify(said))
