/** A page for people: the same as the reference, in HTML without scripts, fonts or files from elsewhere. */
import type { Description, EventDescription, NamespaceDescription } from './description';
import { groupsOf, json, signatureOf, valuesOf } from './reference';
import { TypeText } from './type-text';

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h2 { border-bottom: 1px solid; margin-top: 2.5rem; }
h4 { margin: 1.5rem 0 0; }
pre { padding: .6rem .8rem; overflow-x: auto; border-radius: .4rem; background: light-dark(#f3f3f6, #24242b); }
code, pre { font: .9rem/1.5 ui-monospace, monospace; }
h2 code, h4 code { font-size: 1em; font-weight: bold; }
summary { cursor: pointer; }
.warnings { border-left: .3rem solid #c80; padding-left: 2rem; }
`;

/** Text that is HTML already. */
class Html {
  constructor(readonly text: string) {}
}

/** @param jsonPath where the AsyncAPI document is, from the page */
export function toPage({ app, namespaces, warnings }: Description, jsonPath: string): string {
  const types = new TypeText();
  const parts = namespaces.map(namespace => sectionOf(namespace, types));
  const { declarations } = types;
  return pageOf(
    `Events of ${app.name}`,
    html`<h1>Events of ${app.name} ${app.version}</h1>
      <p>
        Types are those of TypeScript. An acknowledgement may be <code>{ error: { code, message, details } }</code> instead. The same for
        programs: <a href="${jsonPath}">AsyncAPI 3</a>.
      </p>
      ${
        warnings.length > 0 &&
        html`<ul class="warnings">
          ${warnings.map(line => html`<li>${line}</li>`)}
        </ul>`
      }
      ${parts}
      ${
        declarations.length > 0 &&
        html`<h2>Types</h2>
          <pre tabindex="0">${declarations.join('\n')}</pre>`
      }`,
  );
}

/** For an error while the page is made. */
export function toErrorPage(message: string): string {
  return pageOf(
    'No documents',
    html`<h1>The contracts cannot be shown</h1>
      <p>${message}</p>`,
  );
}

function pageOf(title: string, body: Html): string {
  const { text } = html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8" /><meta name="viewport" content="width=device-width" /><title>${title}</title><style>${new Html(STYLE)}</style></head>
<body><main>${body}</main></body>
</html>
`; // prettier-ignore
  return text;
}

function sectionOf(namespace: NamespaceDescription, types: TypeText): Html {
  return html`<section>
    <h2>Namespace <code>${namespace.name}</code></h2>
    ${groupsOf(namespace).map(
      ([title, events]) =>
        html`<h3>${title}</h3>
          ${events.map(event => eventOf(event, types))}`,
    )}
  </section>`;
}

function eventOf(event: EventDescription, types: TypeText): Html {
  const { name } = event;
  const values = valuesOf(event);
  const notes = values.flatMap(([label, { schema }]) =>
    typeof schema['description'] === 'string' ? `${label}: ${schema['description']}` : [],
  );
  return html`<article>
    <h4><code>${name}</code></h4>
    <pre tabindex="0">${signatureOf(event, types)}</pre>
    ${
      notes.length > 0 &&
      html`<ul>
        ${notes.map(note => html`<li>${note}</li>`)}
      </ul>`
    }
    ${values.map(
      ([label, { schema }]) =>
        html`<details>
          <summary>JSON Schema of ${name}: ${label}</summary>
          <pre tabindex="0">${json(schema)}</pre>
        </details>`,
    )}
  </article>`;
}

type Part = string | false | Html | readonly Part[];

/** Escapes everything in it that is no HTML. */
function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(String.raw({ raw: texts }, ...parts.map(textOf)));
}

function textOf(part: Part): string {
  if (part instanceof Html) return part.text;
  if (typeof part === 'string') return part.replaceAll(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);
  return part === false ? '' : part.map(textOf).join('');
}
