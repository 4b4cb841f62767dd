import { findNginx } from './contenders/nginx.ts'
import { fastMcp, fetchPeer, mcpUse } from './peers.ts'

/** One competitor. `key` is what `--only` and the table call it; ratios are to the one called `a`. */
export interface Contender {
  readonly key: string
  readonly name: string
  /** Beside this file. */
  readonly module: string
  /** Whether it must refuse a forged token before it is measured. */
  readonly checksToken: boolean
  /** Whether its answers are JSON-RPC; a plain proxy's are the upstream's. */
  readonly speaksMcp: boolean
  /** Fetches what it needs; gives the reason when it cannot take part. */
  readonly prepare?: () => Promise<string | undefined>
}

const open = { checksToken: false, speaksMcp: true } as const
const guarded = { checksToken: true, speaksMcp: true } as const
const plainProxy = {
  speaksMcp: false,
  prepare: async () => (findNginx() === undefined ? 'nginx is not installed' : undefined),
} as const

/** Everybody who takes part, in the order of the table. */
export const contenders: readonly Contender[] = [
  { key: 'a', name: 'bare Node hop, no token check', module: 'contenders/bare-hop.ts', ...open },
  { key: 'b', name: 'nginx, one worker, plain proxy', module: 'contenders/nginx.ts', ...open, ...plainProxy },
  { key: 'c', name: 'Gatehouse, everything on', module: 'contenders/gatehouse.ts', ...guarded },
  { key: 'd1', name: 'MCP SDK v2 handler + jose', module: 'contenders/sdk-v2.ts', ...guarded },
  { key: 'd2', name: 'MCP SDK v1 stateless + jose', module: 'contenders/sdk-v1.ts', ...guarded },
  {
    ...{ key: 'd3', name: `mcp-use ${mcpUse.version}, fromOpenAPI + jose`, module: 'contenders/mcp-use.ts' },
    ...{ ...guarded, prepare: () => fetchPeer(mcpUse) },
  },
  {
    ...{ key: 'd4', name: `fastmcp ${fastMcp.version} stateless + jose`, module: 'contenders/fastmcp.ts' },
    ...{ ...guarded, prepare: () => fetchPeer(fastMcp) },
  },
  { key: 'e', name: 'Gatehouse, pass-through', module: 'contenders/pass-through.ts', ...guarded },
  { key: 'f', name: 'as (c), with rules and limits', module: 'contenders/gatehouse-decided.ts', ...guarded },
]
