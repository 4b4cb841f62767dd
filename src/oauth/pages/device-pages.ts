import { type Html, html, plainText } from './html.ts'

export interface DeviceCodePage {
  readonly action: string
  readonly formKey: string
  /** What is in the field already: a link may bring it (RFC 8628 §3.3.1). */
  readonly code: string
  /** Why the last try did not work. */
  readonly problem: string | undefined
}

/** Asks for the code that a device shows (RFC 8628 §3.3). */
export function deviceCodePage({ action, formKey, code, problem }: DeviceCodePage): Html {
  const described = problem === undefined ? undefined : html` aria-invalid="true" aria-describedby="problem"`
  return html`<h1>Connect a device</h1>
${problem === undefined ? undefined : html`<p class="bad" role="alert" id="problem">${problem}</p>`}
<form method="post" action="${action}">
<input type="hidden" name="key" value="${formKey}">
<label for="code">Code on the device</label>
<input id="code" name="code" type="text" autocomplete="off" autocapitalize="characters" spellcheck="false" required maxlength="40" value="${code}"${described}>
<button class="main" name="do" value="continue">Continue</button>
</form>
<p class="note">Enter a code only that your own device shows you. Whoever sends you one wants to use your account.</p>`
}

export interface DeviceConfirmPage {
  readonly action: string
  readonly formKey: string
  readonly code: string
  readonly client: string
  readonly workspace: string
}

/** Has the person compare the code before anybody signs in: a link could have brought it (RFC 8628 §5.4). */
export function deviceConfirmPage({ action, formKey, code, client, workspace }: DeviceConfirmPage): Html {
  const name = plainText(client, 60)
  return html`<h1>Is this your device?</h1>
<p><strong>${name}</strong> on another device wants to use <strong>${workspace}</strong> as you. It must show this code now:</p>
<dl>
<dt>Code</dt><dd>${code}</dd>
</dl>
<p class="note">If somebody has sent you this code or a link to this page, it is not your device: do not go on.</p>
<form method="post" action="${action}">
<input type="hidden" name="key" value="${formKey}">
<input type="hidden" name="code" value="${code}">
<button class="main" name="do" value="confirm">It shows this code</button>
<button name="do" value="abort">It does not</button>
</form>`
}
