import { randomBytes } from 'node:crypto'
import { createRequestStateCodec, McpServer, type McpServerFactory } from '@modelcontextprotocol/server'
import { addAskingPrompt, addAskingTools } from './asking.ts'
import { addPrompts } from './prompts.ts'
import { addResources } from './resources.ts'
import { addTools } from './tools.ts'

/** Told when a list is no longer what it was. */
export interface Changed {
  tools(): void
  prompts(): void
}

/** What a call remembers between its rounds. It travels through the client, sealed. */
export interface RoundState {
  readonly round: number
  readonly name?: string
}

export type SealState = (state: RoundState) => Promise<string>

/** Makes the servers of one everything-server: one for each request in the modern era, one for each session in the older. */
export function everythingFactory(): {
  readonly makeServer: McpServerFactory
  readonly changes: Changed & { subscribe(listener: Changed): void }
} {
  const listeners: Changed[] = []
  const changes = {
    subscribe: (listener: Changed) => void listeners.push(listener),
    tools: () => listeners.forEach(({ tools }) => void tools()),
    prompts: () => listeners.forEach(({ prompts }) => void prompts()),
  }
  const states = createRequestStateCodec<RoundState>({ key: randomBytes(32) })
  const makeServer = () => {
    const server = new McpServer(
      { name: 'everything', title: 'Everything server', version: '1.0.0' },
      {
        capabilities: {
          tools: { listChanged: true },
          prompts: { listChanged: true },
          resources: { listChanged: true, subscribe: true },
          logging: {},
          completions: {},
        },
        instructions: 'One of everything, for tests.',
        // A state that was tampered with is refused before any tool sees it (2026-07-28, multi round-trip requests).
        requestState: { verify: states.verify },
      },
    )
    const seal: SealState = (state) => states.mint(state)
    addTools(server, changes)
    addAskingTools(server, seal)
    addPrompts(server)
    addAskingPrompt(server)
    addResources(server)
    return server
  }
  return { makeServer, changes }
}
