import { type Html, html } from './html.ts'

/** Something that a person should know, and nothing to decide. `detail` may be a stranger's text. */
export function messagePage({ title, detail }: { readonly title: string; readonly detail: string }): Html {
  return html`<h1>${title}</h1>
<p role="alert">${detail}</p>`
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
