/** The admin page: one file without anything from elsewhere. Its data comes by `fetch()`, and is put into it as text. */
import { createHash } from 'node:crypto';
import { SCRIPT } from './script';

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; --line: light-dark(#d9dbe1, #3a3d46); --soft: light-dark(#5c616d, #a5abb8);
  --panel: light-dark(#fff, #1f2127); --accent: light-dark(#0b57d0, #8ab4f8); --bad: light-dark(#b3261e, #ff8a80); }
* { box-sizing: border-box; }
body { margin: 0; background: light-dark(#f4f5f8, #15161a); }
header, main { max-width: 76rem; margin: 0 auto; padding: .8rem 1rem; }
header { display: flex; flex-wrap: wrap; gap: .3rem 1rem; align-items: baseline; }
h1 { font-size: 1.25rem; margin: 0; }
h2 { font-size: 1rem; margin: 0 0 .5rem; }
h2 small, .soft { color: var(--soft); font-weight: normal; }
section { background: var(--panel); border: 1px solid var(--line); border-radius: .6rem; padding: .8rem; margin-bottom: 1rem; min-width: 0; }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: .6rem; }
.numbers div { display: flex; flex-direction: column; }
.numbers b { font-size: 1.5rem; font-variant-numeric: tabular-nums; }
.columns { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
.scroll { overflow: auto; max-height: 24rem; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--soft); position: sticky; top: 0; background: var(--panel); }
th, td { padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: baseline; }
td { overflow-wrap: anywhere; }
td.end, th.end { text-align: right; padding: .3rem 0 .3rem .6rem; white-space: nowrap; }
code { font: .9em ui-monospace, monospace; }
button, input, select, textarea { font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--line); border-radius: .4rem;
  padding: .35rem .6rem; min-height: 2.2rem; max-width: 100%; }
button { cursor: pointer; }
td button { border: 0; background: none; color: var(--accent); padding: .1rem 0; min-height: 1.8rem; text-align: left; overflow-wrap: anywhere; }
button.bad { color: var(--bad); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
form, .filters { display: flex; flex-wrap: wrap; gap: .5rem; align-items: end; margin: .6rem 0 0; }
.filters { margin: 0 0 1rem; }
label { display: flex; flex-direction: column; font-size: .85rem; color: var(--soft); min-width: 0; }
label input, label select { color: light-dark(#111, #eee); font-size: 1rem; }
.grow { flex: 1 1 12rem; }
#problem, #result { margin: .3rem 0 0; min-height: 1.4em; }
#problem, .failed { color: var(--bad); }
[hidden] { display: none !important; }
@media (max-width: 44rem) { .columns { grid-template-columns: 1fr; } .wide { display: none; } header, main { padding: .6rem; } }
`;

const BODY = `
<header><h1></h1><span class="soft" id="status" role="status"></span><p id="problem" role="alert"></p></header>
<main>
<section aria-label="Now"><div class="numbers">
<div><b id="connections"></b><span>connections</span></div><div><b id="sockets-now"></b><span>sockets here</span></div>
<div><b id="connects"></b><span>new connections/s</span></div><div><b id="events"></b><span>events/s</span></div>
<div><b id="errors"></b><span>failed events/s</span></div></div></section>
<div class="filters"><label>Namespace <select id="namespace"></select></label>
<label class="grow">Find <input id="search" type="search" placeholder="id, user or address" autocomplete="off"></label>
<button id="clear" type="button" hidden></button></div>
<section id="shown" hidden aria-label="Socket"><h2></h2><p class="soft" id="about"></p><p id="gone" class="failed" hidden>It has gone.</p>
<div class="scroll"><table><thead><tr><th>time<th>event<th class="end">bytes<th class="end">ms<th class="end">result</thead><tbody id="seen"></tbody></table></div>
<p class="soft">Names and sizes only: what events carry is not recorded. Events are recorded while this is open.</p>
<button id="disconnect" type="button" class="bad">Disconnect</button> <button id="close" type="button">Close</button></section>
<section aria-label="Emit"><h2>Emit <small id="target"></small></h2>
<form id="emit"><label>Event <input id="event" required maxlength="200" autocomplete="off" spellcheck="false"></label>
<label class="grow">Arguments, as a JSON array <input id="args" value="[]" autocomplete="off" spellcheck="false"></label>
<button>Emit</button></form><p id="result" role="status"></p></section>
<section><h2>Sockets <small id="socket-count"></small></h2>
<div class="scroll"><table><thead><tr><th>id<th>user<th class="wide">address<th class="wide">transport<th class="wide">worker<th class="end">since</thead><tbody id="sockets"></tbody></table></div></section>
<div class="columns"><section><h2>Rooms <small id="room-count"></small></h2><div class="scroll"><table><tbody id="rooms"></tbody></table></div></section>
<section><h2>Users <small id="user-count"></small></h2><div class="scroll"><table><tbody id="users"></tbody></table></div></section></div>
<section><h2>Workers <small id="process-count"></small></h2>
<div class="scroll"><table><thead><tr><th>worker<th class="wide">machine<th class="end">connections<th class="end">events/s<th class="end">memory<th class="end wide">up for</thead><tbody id="processes"></tbody></table></div></section>
</main>`;

export const PAGE_POLICY = [
  "default-src 'none'",
  `script-src '${hashOf(SCRIPT)}'`,
  `style-src '${hashOf(STYLE)}'`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** @param token what the security plugin wants in the header of a request that changes something */
export function pageOf(app: string, token: { readonly name: string; readonly value: string }): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="app" content="${escape(app)}"><meta name="token" content="${escape(token.value)}" data-header="${escape(token.name)}">
<title>${escape(app)}: Socket.IO</title><style>${STYLE}</style></head>
<body>${BODY}<script>${SCRIPT}</script></body></html>
`;
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);
}
