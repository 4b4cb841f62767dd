import { escapedText } from './html-text.ts'

/** A page as a browser without script sees it. */
export interface Page {
  readonly url: string
  readonly status: number
  readonly headers: Headers
  readonly html: string
  readonly forms: readonly Form[]
}

export interface Form {
  readonly action: string
  readonly fields: Readonly<Record<string, string>>
  /** Values of its buttons named `do`. */
  readonly buttons: readonly string[]
}

/** Where a browser went that nobody of ours answers: back to the client. */
export interface Left {
  readonly left: URL
}

const REDIRECTS_MAX = 20

/** A small browser for tests: cookies by host, redirects, forms. It keeps to what servers say, as real ones do. */
export class Browser {
  readonly cookies = new Map<string, string>()
  readonly #home: string

  /** `home`: the origin that it stays at; a redirect anywhere else ends a walk. */
  constructor(home: string) {
    this.#home = new URL(home).origin
  }

  /** Goes to an address and follows where it leads. */
  open(url: string): Promise<Page | Left> {
    return this.#walk(url, { method: 'GET' })
  }

  /** Sends the form of this page that has the button, with these values typed in. */
  submit(page: Page, button: string, typed: Readonly<Record<string, string>> = {}): Promise<Page | Left> {
    const form = page.forms.find(({ buttons }) => buttons.includes(button))
    if (form === undefined) throw new Error(`no form with the button ${button} on ${page.html}`)
    const body = new URLSearchParams({ ...form.fields, ...typed, do: button })
    return this.#walk(new URL(form.action, page.url).href, { method: 'POST', body })
  }

  async #walk(
    start: string,
    first: { readonly method: string; readonly body?: URLSearchParams },
  ): Promise<Page | Left> {
    let url = start
    let request = first
    for (let hop = 0; hop < REDIRECTS_MAX; hop += 1) {
      if (new URL(url).origin !== this.#home) return { left: new URL(url) }
      const response = await this.#send(url, request)
      const location = response.headers.get('location')
      if (response.status < 300 || response.status > 399 || location === null) {
        const html = await response.text()
        const onward = /<meta http-equiv="refresh" content="0;url=([^"]*)">/.exec(html)?.[1]
        if (onward !== undefined) {
          url = new URL(escapedText(onward), url).href
          request = { method: 'GET' }
          continue
        }
        return { url, status: response.status, headers: response.headers, html, forms: formsIn(html) }
      }
      await response.body?.cancel()
      url = new URL(location, url).href
      request = { method: 'GET' }
    }
    throw new Error('too many redirects')
  }

  async #send(url: string, { method, body }: { method: string; body?: URLSearchParams }): Promise<Response> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      headers: {
        accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
        ...(cookie === '' ? {} : { cookie }),
        ...(method === 'POST' ? { origin: this.#home } : {}),
      },
      ...(body === undefined ? {} : { body }),
    })
    for (const line of response.headers.getSetCookie()) this.#keep(line)
    return response
  }

  #keep(line: string): void {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
    const equals = pair.indexOf('=')
    const name = pair.slice(0, equals)
    const isOver = attributes.some((attribute) => /^max-age=0$|^expires=thu, 01 jan 1970/i.test(attribute))
    if (isOver) this.cookies.delete(name)
    else this.cookies.set(name, pair.slice(equals + 1))
  }
}

/** The page, or a failure when the browser went away. */
export function pageOf(result: Page | Left): Page {
  if ('left' in result) throw new Error(`the browser left to ${result.left.href}`)
  return result
}

/** Where the browser went, or a failure with the page where it stayed. */
export function leftOf(result: Page | Left): URL {
  if ('left' in result) return result.left
  throw new Error(`the browser stayed at ${result.url}: ${result.status} ${result.html}`)
}

function formsIn(html: string): readonly Form[] {
  return [...html.matchAll(/<form [^>]*action="([^"]*)"[^>]*>(.*?)<\/form>/gs)].map(([, action = '', inside = '']) => ({
    action: escapedText(action),
    fields: Object.fromEntries(
      [...inside.matchAll(/<input ([^>]*)>/g)].map(([, attributes = '']) => [
        attribute(attributes, 'name'),
        attribute(attributes, 'value'),
      ]),
    ),
    buttons: [...inside.matchAll(/<button ([^>]*)>/g)].map(([, attributes = '']) => attribute(attributes, 'value')),
  }))
}

function attribute(attributes: string, name: string): string {
  return escapedText(new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(attributes)?.[1] ?? '')
}
