/** A JSON Schema 2020-12 object. */
export type JsonSchema = { readonly [key: string]: unknown }

/** MCP tool annotations (2025-06-18 and later); hints, not promises. */
export interface ToolAnnotations {
  readonly title?: string
  readonly readOnlyHint: boolean
  readonly destructiveHint: boolean
  readonly idempotentHint: boolean
  readonly openWorldHint: boolean
}

/** One tool: an operation of the API as an MCP client sees it, and what is needed to call it. */
export interface Tool {
  /** At most 64 characters of `[A-Za-z0-9_-]`, unique in its catalog, the same at every import. */
  readonly name: string
  readonly description: string
  /** `type: object`; stands alone: what it refers to is in its own `$defs`. */
  readonly inputSchema: JsonSchema
  readonly annotations: ToolAnnotations
  /** Tags of the operation; absent where it has none. */
  readonly categories?: readonly string[]
  /** The operation says `x-public: true`. Means something only where the settings ask for it. */
  readonly isMarkedPublic?: boolean
  readonly operation: Operation
}

/** What is known of the API's operation behind a tool. */
export interface Operation {
  readonly method: string
  /** The path template, as in `/api/items/{id}`. A constant query in it is sent, a fragment is not: see `splitPath`. */
  readonly path: string
  /** Absolute server URL of this operation, without a trailing slash; undefined when neither document nor base URL gives one. */
  readonly server: string | undefined
  readonly parameters: readonly OperationParameter[]
  readonly body: OperationBody | undefined
  /** Absent where the document says nothing: neither for the operation nor for all of them. */
  readonly security?: SecurityRequirement
}

/**
 * What a call must bring, as the document says it: one of the alternatives, in its order, each with all of its schemes.
 * No alternative, or one without a scheme: a call without a credential will do. Equal requirements of one document are one object.
 */
export type SecurityRequirement = readonly (readonly NamedScheme[])[]

/** A security scheme under the name that the document and the settings call it by. */
export interface NamedScheme {
  readonly name: string
  readonly scheme: SecurityScheme
}

/** Where a key is sent. */
export interface KeyPlace {
  readonly in: 'header' | 'query' | 'cookie'
  readonly name: string
}

/** What a scheme wants on the wire. `scheme` of `http` is in lower case; `unreadable` says why nothing is known of it. */
export type SecurityScheme =
  | { readonly type: 'apiKey'; readonly place: KeyPlace }
  | { readonly type: 'http'; readonly scheme: string }
  | { readonly type: 'oauth2' }
  | { readonly type: 'openIdConnect' }
  | { readonly type: 'mutualTLS' }
  | { readonly type: 'unreadable'; readonly reason: string }

export interface OperationParameter {
  /** The name on the wire. */
  readonly name: string
  /** The property of the tool's arguments that it is taken from. */
  readonly argument: string
  readonly in: 'path' | 'query' | 'header' | 'cookie'
  readonly required: boolean
  readonly style: string
  readonly explode: boolean
  readonly allowReserved: boolean
  /** A `content` parameter is serialised as JSON. */
  readonly json: boolean
}

export interface OperationBody {
  readonly contentType: string
  readonly required: boolean
  /** Of a form: how a field is written, where the document says more than its name. */
  readonly fieldRules?: { readonly [field: string]: FieldRule }
  /** `fields`: the named arguments together are the body; `whole`: the argument `argument` is the body. */
  readonly shape:
    | { readonly kind: 'fields'; readonly arguments: readonly string[] }
    | { readonly kind: 'whole'; readonly argument: string }
}

/** How one field of a form is written (`encoding` of OpenAPI). */
export interface FieldRule {
  readonly style?: string
  readonly explode?: boolean
  readonly allowReserved?: boolean
  /** Of its part in a multipart body; `application/json` makes a field of a form JSON. */
  readonly contentType?: string
  /** Its argument is base64, its part the bytes. */
  readonly isFile?: boolean
}

/** An operation that did not become a tool, with the reason in words for the person who imports. */
export interface SetAside {
  readonly operation: string
  readonly reason: string
}

/** Everything that was read from one document. */
export interface ImportedTools {
  /** `info.title` of the document. */
  readonly title: string
  readonly tools: readonly Tool[]
  readonly setAside: readonly SetAside[]
}
