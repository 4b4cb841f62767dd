import type { ElicitRequestFormParams } from '@modelcontextprotocol/server'

type Form = ElicitRequestFormParams
type FormSchema = Form['requestedSchema']

/** A form of required texts. */
export function text(...names: readonly string[]): FormSchema {
  return {
    type: 'object',
    properties: Object.fromEntries(names.map((name) => [name, { type: 'string' as const }])),
    required: [...names],
  }
}

export const NAME_FORM: Form = { message: 'What is your name?', requestedSchema: text('name') }

const options = (...names: readonly string[]) => names.map((title, index) => ({ const: `value${index + 1}`, title }))

/** The forms of the tools that do nothing but show one. */
export const FORMS: Readonly<Record<string, Form>> = {
  test_streaming_elicitation: NAME_FORM,
  // SEP-1034: every primitive type with its default.
  test_elicitation_sep1034_defaults: {
    message: 'Please check these values.',
    requestedSchema: {
      type: 'object',
      properties: {
        name: { type: 'string', default: 'John Doe' },
        age: { type: 'integer', default: 30 },
        score: { type: 'number', default: 95.5 },
        status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
        verified: { type: 'boolean', default: true },
      },
    },
  },
  // SEP-1330: the five ways to write a choice.
  test_elicitation_sep1330_enums: {
    message: 'Please choose.',
    requestedSchema: {
      type: 'object',
      properties: {
        untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
        titledSingle: { type: 'string', oneOf: options('First Option', 'Second Option', 'Third Option') },
        legacyEnum: {
          type: 'string',
          enum: ['opt1', 'opt2', 'opt3'],
          enumNames: ['Option One', 'Option Two', 'Option Three'],
        },
        untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
        titledMulti: {
          type: 'array',
          items: { anyOf: options('First Choice', 'Second Choice', 'Third Choice') },
        },
      },
    },
  },
}
