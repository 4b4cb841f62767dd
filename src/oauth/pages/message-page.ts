import { type Html, html, plainText } from './html.ts'

/** Something that a person should know, and nothing to decide. `detail` may be a stranger's text. */
export function messagePage({ title, detail }: { readonly title: string; readonly detail: string }): Html {
  return html`<h1>${title}</h1>
<p role="alert">${detail}</p>`
}

/**
 * Takes the browser on from a form of ours to somebody else. A redirect would not do: Chromium holds all that follow one to
 * the `form-action` of the form's page, and where the next site sends the browser is not known here.
 */
export function onwardPage(url: string): Html {
  return html`<h1>One moment</h1>
<p>If nothing happens, <a href="${url}">go on</a>.</p>`
}

/** A request of a client that is no good: what the person can do, and what whoever makes the app wants to hear. */
export function badRequestPage({ title, error, detail }: Readonly<Record<'title' | 'error' | 'detail', string>>): Html {
  return html`<h1>${title}</h1>
<p role="alert">${adviceFor(error)}</p>
<p class="soft">For whoever makes the app: ${plainText(`${error}: ${detail}`, 300)}</p>`
}

/** By the codes of RFC 6749 §4.1.2.1, and those of the library for what is never told to the client. */
function adviceFor(error: string): string {
  switch (error) {
    case 'invalid_client':
      return 'This app is not known here, or not any more. In the app, remove this connection and add it again.'
    case 'invalid_redirect_uri':
      return 'This app wants its answer at an address that it has not told us before. In the app, remove this connection and add it again.'
    default:
      return 'This app has asked for something that cannot be given. Go back to it and connect again.'
  }
}

/** Asks before signing out: another site's link must not do it. */
export function signOutPage({
  action,
  formKey,
  person,
}: Readonly<Record<'action' | 'formKey' | 'person', string>>): Html {
  return html`<h1>Sign out?</h1>
<p>You are signed in as <strong>${person}</strong>.</p>
<form method="post" action="${action}">
<input type="hidden" name="key" value="${formKey}">
<button class="main" name="do" value="sign-out">Sign out</button>
</form>`
}
