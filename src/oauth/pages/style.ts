import { isVisibleOn, readableOn } from './contrast.ts'

const PAPER = { light: '#ffffff', dark: '#1e2226' } as const
const LINE = { light: '#8a929c', dark: '#78828d' } as const

/** The style of every page: system fonts, one column, light and dark, made for a phone first. `color` is `#rrggbb`. */
export function pageStyle(color: string): string {
  const text = readableOn(color) ?? '#ffffff'
  // A button of the brand's colour may not stand out from the paper.
  const edge = (mode: 'light' | 'dark') => (isVisibleOn(PAPER[mode], color) ? color : LINE[mode])
  return `:root{color-scheme:light dark;--ground:#f4f5f7;--paper:${PAPER.light};--ink:#1b1f24;--soft:#4d5560;--line:${LINE.light};--bad:#a3121f;--main:${color};--on-main:${text};--edge:${edge('light')}}
@media (prefers-color-scheme:dark){:root{--ground:#14171a;--paper:${PAPER.dark};--ink:#eef1f4;--soft:#b3bcc6;--line:${LINE.dark};--edge:${edge('dark')};--bad:#ff9a9f}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
main{max-width:27rem;margin:0 auto;padding:1.5rem 1rem}
@media (min-width:32rem){main{margin-top:3rem;background:var(--paper);border-radius:.75rem;padding:2rem}}
img{display:block;max-width:100%;height:3rem;margin:0 0 1rem}
h1{font-size:1.4rem;line-height:1.25;margin:0 0 1rem}
h2{font-size:1.05rem;margin:1.5rem 0 .5rem}
ul{margin:.5rem 0;padding-left:1.25rem}
dl{margin:1rem 0}dt{color:var(--soft);font-size:.9rem}dd{margin:0 0 .6rem;font-weight:600}
label{display:block;margin:1rem 0 .25rem;font-weight:600}
input{width:100%;min-height:2.75rem;padding:.5rem .75rem;font:inherit;color:inherit;background:transparent;border:1px solid var(--line);border-radius:.4rem}
button{width:100%;min-height:2.75rem;margin-top:.75rem;padding:.5rem 1rem;font:inherit;font-weight:600;color:inherit;background:transparent;border:1px solid var(--line);border-radius:.4rem;cursor:pointer}
input:not([type=hidden])+button{margin-top:1.25rem}
main>:last-child{margin-bottom:0}
button.main{background:var(--main);border-color:var(--edge);color:var(--on-main)}
:focus-visible{outline:3px solid var(--ink);outline-offset:2px}
.bad{border-left:4px solid var(--bad);padding:.25rem .75rem;color:var(--bad);font-weight:600}
.note{border-left:4px solid var(--line);padding:.25rem .75rem}
.soft{color:var(--soft)}`
}
