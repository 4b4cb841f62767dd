import { type McpServer, ResourceTemplate } from '@modelcontextprotocol/server'
import { PNG } from './content.ts'

/** The resources, and a template for more. An unknown one is answered -32602 with its `uri` (SEP-2164). */
export function addResources(server: McpServer): void {
  const addText = (name: string, uri: string, text: string) =>
    server.registerResource(name, uri, { description: text, mimeType: 'text/plain' }, () => ({
      contents: [{ uri, mimeType: 'text/plain', text }],
    }))
  addText('static-text', 'test://static-text', 'This is the content of the static text resource.')
  addText('watched-resource', 'test://watched-resource', 'Clients may subscribe to this resource.')

  const { mimeType, data } = PNG
  const binary = 'test://static-binary'
  server.registerResource('static-binary', binary, { description: 'A red pixel.', mimeType }, () => ({
    contents: [{ uri: binary, mimeType, blob: data }],
  }))
  server.registerResource(
    'template',
    new ResourceTemplate('test://template/{id}/data', { list: undefined }),
    { description: 'Says which id it was asked for.', mimeType: 'application/json' },
    (uri, { id }) => {
      const text = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` })
      return { contents: [{ uri: uri.href, mimeType: 'application/json', text }] }
    },
  )
  // Nothing here changes of itself, so there is nothing to remember: the suite asks that both are answered.
  server.server.setRequestHandler('resources/subscribe', () => ({}))
  server.server.setRequestHandler('resources/unsubscribe', () => ({}))
}
