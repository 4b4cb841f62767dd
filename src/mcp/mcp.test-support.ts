import { mcpErrorAnswer } from '../http/error-response.ts'
import { serveExchanges, type TestServer } from '../http/http.test-support.ts'
import { readMessage } from './message.ts'

/** A server that answers with the message it read, or with the error as an MCP endpoint tells it. */
export function serveMessages(context: { after(close: () => void): void }): Promise<TestServer> {
  return serveExchanges(context, async (exchange) => {
    try {
      exchange.send({ status: 200, body: JSON.stringify(await readMessage(exchange)) })
    } catch (error) {
      exchange.send(mcpErrorAnswer(error, { resourceMetadataUrl: undefined, replyTo: exchange.replyTo }))
    }
  })
}
