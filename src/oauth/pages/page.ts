import { createHash } from 'node:crypto'
import type { Answer } from '../../http/exchange.ts'
import type { BrandingSettings } from '../settings.ts'
import { Html, html } from './html.ts'
import { pageStyle } from './style.ts'

/** Makes our pages look as the operator wants. */
export interface Pages {
  /** An answer with a whole page. */
  page(page: PageContent): Answer
}

export interface PageContent {
  readonly status?: number
  /** Read out first, so the page says there when something is wrong: what is an alert from the start is not announced. */
  readonly title: string
  readonly body: Html
  /** Where the browser goes on to by itself. */
  readonly onward?: string
  readonly cookies?: readonly string[]
}

/** Compiles the branding: the style and its hash are the same for every page. */
export function createPages(branding: BrandingSettings): Pages {
  const style = pageStyle(branding.color)
  const styleHash = createHash('sha256').update(style).digest('base64')
  const logo = branding.logoUrl === undefined ? undefined : html`<img src="${branding.logoUrl}" alt="">`
  return {
    page({ status = 200, title, body, onward, cookies = [] }) {
      const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${status < 400 ? '' : 'Error: '}${title} – ${branding.name}</title>
<style>${new Html(style)}</style>${
        onward === undefined
          ? undefined
          : html`
<meta http-equiv="refresh" content="0;url=${onward}">`
      }
</head>
<body>
<main>
${logo}${body}
</main>
</body>
</html>
`
      return {
        status,
        contentType: 'text/html; charset=utf-8',
        headers: securityHeaders({ styleHash, logoUrl: branding.logoUrl }),
        cookies,
        body: document.text,
      }
    },
  }
}

/** No script at all, no frame around it (THREATS.md, T6), and no word to other sites about where the browser was. */
function securityHeaders({
  styleHash,
  logoUrl,
}: {
  readonly styleHash: string
  readonly logoUrl: string | undefined
}): Readonly<Record<string, string>> {
  const policy = [
    `default-src 'none'`,
    `style-src 'sha256-${styleHash}'`,
    ...(logoUrl === undefined ? [] : [`img-src ${new URL(logoUrl).origin}`]),
    // Every redirect that follows a form counts too (CSP3 §6.4.1), so no form of ours is answered with one to elsewhere.
    `form-action 'self'`,
    `base-uri 'none'`,
    `frame-ancestors 'none'`,
  ]
  return {
    'Content-Security-Policy': policy.join('; '),
    'X-Frame-Options': 'DENY',
    // Not `no-referrer`: a form of ours would then be sent with `Origin: null`, which is nobody's.
    'Referrer-Policy': 'same-origin',
  }
}
