import { completable, type McpServer } from '@modelcontextprotocol/server'
import * as z from 'zod'
import { PNG } from './content.ts'

const user = 'user' as const
const text = (content: string) => ({ role: user, content: { type: 'text' as const, text: content } })

/** The prompts whose answer needs nothing from the client. */
export function addPrompts(server: McpServer): void {
  server.registerPrompt('test_simple_prompt', { description: 'One text.' }, () => ({
    messages: [text('This is a simple prompt for testing.')],
  }))
  const first = completable(z.string(), (typed) => ['paris', 'park', 'party'].filter((word) => word.startsWith(typed)))
  server.registerPrompt(
    'test_prompt_with_arguments',
    { description: 'Repeats its arguments.', argsSchema: z.object({ arg1: first, arg2: z.string() }) },
    ({ arg1, arg2 }) => ({ messages: [text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)] }),
  )
  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    { description: 'Holds a resource.', argsSchema: z.object({ resourceUri: z.string() }) },
    ({ resourceUri }) => ({
      messages: [
        {
          role: user,
          content: {
            type: 'resource',
            resource: { uri: resourceUri, mimeType: 'text/plain', text: 'Embedded resource content for testing.' },
          },
        },
        text('Please process the embedded resource above.'),
      ],
    }),
  )
  server.registerPrompt('test_prompt_with_image', { description: 'Holds an image.' }, () => ({
    messages: [{ role: user, content: { type: 'image', ...PNG } }, text('Please analyze the image above.')],
  }))
}
