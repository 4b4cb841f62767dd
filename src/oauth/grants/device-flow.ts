import type { DeviceCode, ProviderContext } from 'oidc-provider'
import type { Answer } from '../../http/exchange.ts'
import { deviceCodePage, deviceConfirmPage } from '../pages/device-pages.ts'
import { messagePage } from '../pages/message-page.ts'
import type { Pages } from '../pages/page.ts'
import { findResource, type OAuthResources } from '../resources.ts'
import { ROUTES } from '../routes.ts'

/** RFC 8628 §3.2, `expires_in`. */
export const DEVICE_CODE_SECONDS = 600

/** The query of our own run of the library in which a link's code travels: the library would send a form by itself for its own. */
const SHOWN = 'shown'

const DONE = { title: 'Your device is connected', detail: 'Go back to it. You can close this page.' }
const REFUSED = { title: 'Your device is not connected', detail: 'It gets nothing. You can close this page.' }
const WRONG = 'This code is not right any more. Look at your device, or have it show a new one.'

export interface DeviceFlowOptions {
  readonly publicUrl: string
  readonly pages: Pages
  readonly resources: OAuthResources
}

/** What the library asks for of its device flow: our pages in place of its own, which have scripts. */
export function deviceFlow(options: DeviceFlowOptions): Readonly<Record<string, unknown>> {
  const { publicUrl, pages, resources } = options
  const action = `${publicUrl}${ROUTES.library.code_verification}`
  return {
    charset: 'base-20',
    mask: '****-****',
    // Nobody needs to know where the device stands.
    deviceInfo: () => ({}),
    userCodeInputSource: async (context: ProviderContext, _form: string, _out: unknown, error?: Error) => {
      if (error?.name === 'AbortedError') return show(context, pages.page({ ...REFUSED, body: messagePage(REFUSED) }))
      const body = deviceCodePage({
        ...{ action, formKey: formKeyOf(context), code: shownIn(context) },
        problem: error === undefined ? undefined : WRONG,
      })
      show(context, pages.page({ status: error === undefined ? 200 : 400, title: 'Connect a device', body }))
    },
    userCodeConfirmSource: async (
      context: ProviderContext,
      _form: string,
      client: { readonly clientName?: string; readonly clientId: string },
      _info: unknown,
      code: string,
    ) => {
      const resource = findResource(resourceOf(context.oidc.deviceCode), { resources, publicUrl })
      const body = deviceConfirmPage({
        ...{ action, formKey: formKeyOf(context), code },
        ...{ client: client.clientName ?? client.clientId, workspace: resource?.name ?? 'a workspace' },
      })
      show(context, pages.page({ title: 'Connect a device', body }))
    },
    successSource: async (context: ProviderContext) => show(context, pages.page({ ...DONE, body: messagePage(DONE) })),
  }
}

/** Where the page is asked for, for the library. A code in the link is only shown: it starts nothing (RFC 8628 §5.4). */
export function codePageTarget(query: string): string {
  const code = new URLSearchParams(query).get('user_code') ?? ''
  const shown = /^[a-z-]{1,20}$/i.test(code) ? `?${new URLSearchParams({ [SHOWN]: code })}` : ''
  return ROUTES.library.code_verification + shown
}

/** A form of ours as the library's. Nothing else of it reaches the library. */
export function codeFormBody(body: string): string {
  const form = new URLSearchParams(body)
  const fields = { xsrf: form.get('key') ?? '', user_code: (form.get('code') ?? '').slice(0, 40) }
  const pressed = form.get('do')
  if (pressed === 'confirm') return String(new URLSearchParams({ ...fields, confirm: 'yes' }))
  return String(new URLSearchParams(pressed === 'abort' ? { ...fields, abort: 'yes' } : fields))
}

function formKeyOf({ oidc }: ProviderContext): string {
  return oidc.session?.state?.secret ?? ''
}

function shownIn({ query }: ProviderContext): string {
  const shown = query?.[SHOWN]
  return typeof shown === 'string' ? shown : ''
}

function resourceOf(code: DeviceCode | undefined): string | undefined {
  const resource = code?.params['resource']
  return typeof resource === 'string' ? resource : undefined
}

function show(context: ProviderContext, { status, headers, body }: Answer): void {
  context.status = status
  context.set({ ...headers })
  context.type = 'html'
  context.body = body
}
