import { GatewayError } from '../errors.ts'

/** The values that placeholders take; all of them secrets. */
export type Params = Readonly<Record<string, string>>

/**
 * A text with placeholders, compiled once.
 *
 * `render` throws GatewayError `credential_missing` when a param is missing; the message names the param, never a value.
 */
export interface Template {
  /** The params that it takes, each once. */
  readonly names: readonly string[]
  render(params: Params): string
}

/** The same for a JSON value: placeholders count in its text leaves, not in its keys. */
export interface JsonTemplate {
  readonly names: readonly string[]
  render(params: Params): unknown
}

const PLACEHOLDER = /\{\{([^{}]*)\}\}/g

/**
 * Compiles a text in which `{{name}}` stands for a param.
 *
 * A value is put in once and never read again: what looks like a placeholder inside a value stays as it is. Nothing else is
 * expanded, `${VAR}` least of all: that would hand the gateway's environment to whoever writes a template.
 */
export function compileTemplate(text: string): Template {
  // `split` on a pattern with one group gives texts at even places and names at odd ones.
  const pieces = text.split(PLACEHOLDER).map((piece, index) => (index % 2 === 0 ? piece : piece.trim()))
  const names = [...new Set(pieces.filter((_, index) => index % 2 === 1))]
  if (names.length === 0) return { names, render: () => text }
  return {
    names,
    render: (params) => pieces.map((piece, index) => (index % 2 === 0 ? piece : getParam(params, piece))).join(''),
  }
}

/** Compiles a JSON value; what is no text stays as it is. */
export function compileJsonTemplate(value: unknown): JsonTemplate {
  if (typeof value === 'string') return compileTemplate(value)
  if (Array.isArray(value)) {
    const items = value.map(compileJsonTemplate)
    return { names: namesOf(items), render: (params) => items.map((item) => item.render(params)) }
  }
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).map(([key, field]) => ({ key, template: compileJsonTemplate(field) }))
    return {
      names: namesOf(fields.map(({ template }) => template)),
      render: (params) => Object.fromEntries(fields.map(({ key, template }) => [key, template.render(params)])),
    }
  }
  return { names: [], render: () => value }
}

/** The error for params that are not set. */
export function missingParams(names: readonly string[]): GatewayError {
  const list = names.map((name) => name.slice(0, 64)).join(', ')
  const message =
    names.length === 1
      ? `The custom param ${list} is not set. Set it in the workspace.`
      : `The custom params ${list} are not set. Set them in the workspace.`
  return new GatewayError('credential_missing', message)
}

function namesOf(templates: readonly { readonly names: readonly string[] }[]): string[] {
  return [...new Set(templates.flatMap(({ names }) => names))]
}

function getParam(params: Params, name: string): string {
  const value = Object.hasOwn(params, name) ? params[name] : undefined
  if (value === undefined) throw missingParams([name])
  return value
}
