import { Command, Option } from 'commander'
import { GatewayError } from '../errors.ts'
import { banner } from '../test-api/banner.ts'
import { startTestApi, type TestApi, type TestApiOptions } from '../test-api/test-api.ts'
import { print, untilStopped } from './terminal.ts'

/** `gatehouse test-api`: a small API to try Gatehouse on. */
export function testApiCommand(): Command {
  return new Command('test-api')
    .description('Run a small API that wants a key, a token or a login')
    .addOption(
      new Option('--mode <mode>', 'how it signs callers in')
        .choices(['none', 'apikey', 'bearer', 'jwt'])
        .default('jwt'),
    )
    .option('--port <number>', 'port', '3456')
    .option('--ttl <seconds>', 'lifetime of an access token', '900')
    .action(async ({ mode, port, ttl }: { mode: 'none' | 'apikey' | 'bearer' | 'jwt'; port: string; ttl: string }) => {
      await using api = await started({ mode, port: whole('--port', port, 0), ttlSeconds: whole('--ttl', ttl, 1) })
      print(banner(api))
      await untilStopped()
    })
}

async function started(options: TestApiOptions): Promise<TestApi> {
  try {
    return await startTestApi(options)
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    const taken =
      error.code === 'EADDRINUSE' ? 'is taken: choose another with --port' : `cannot be used (${error.code})`
    throw new GatewayError('config_invalid', `Port ${options.port} ${taken}.`, { cause: error })
  }
}

function whole(flag: string, text: string, least: number): number {
  if (/^\d{1,9}$/.test(text) && Number(text) >= least) return Number(text)
  throw new GatewayError('config_invalid', `${flag} takes a whole number from ${least} up.`)
}
