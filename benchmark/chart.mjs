/** A bar for each server and scenario, and a line where the base is. Readable on light and dark pages alike. */

const WIDTH = 760;
const LEFT = 190;
const RIGHT = 56;
const BAR = 18;
const ROW = 26;
const PANEL_HEAD = 34;

const STYLE = `
  text { font: 13px system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328 }
  .name { text-anchor: end } .head { font-weight: 600 } .small { font-size: 11px; fill: #59636e }
  .ratio { paint-order: stroke; stroke: #ffffff; stroke-width: 4px }
  .bar { fill: #afb8c1 } .ours { fill: #2da44e } .line { stroke: #d1242f; stroke-dasharray: 4 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 }
    .bar { fill: #59636e } .ours { fill: #3fb950 } .line { stroke: #ff7b72 } .ratio { stroke: #0d1117 }
  }`;

/**
 * @param titles of the panels, one for each scenario
 * @param bars each with name, title and a ratio, as minimum, median and maximum, for each scenario; the first is the base
 */
export function chart({ titles, bars, source }) {
  const panelHeight = PANEL_HEAD + bars.length * ROW + 22;
  const height = titles.length * panelHeight + 40;
  const panels = titles.map((title, i) =>
    panel(
      title,
      bars.map(({ ratios, ...bar }) => ({ ...bar, ratio: ratios[i][1] })),
      i * panelHeight,
    ),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>CPU time of the server per message, compared with bare Socket.IO</title>
<style>${STYLE}
</style>
${panels.join('\n')}
<text class="small" x="${LEFT}" y="${height - 28}">CPU time of the server per message, Socket.IO = 1</text>
<text class="small" x="${LEFT}" y="${height - 12}">${escape(source)}</text>
</svg>
`;
}

function panel(title, bars, top) {
  const scale = (WIDTH - LEFT - RIGHT) / Math.max(...bars.map(({ ratio }) => ratio));
  const first = top + PANEL_HEAD;
  const x = (LEFT + scale).toFixed(1);
  const lines = bars.map(({ name, title, ratio }, i) => {
    const y = first + i * ROW;
    const width = ratio * scale;
    return {
      bar: `<rect class="${/^egg\d/.test(name) ? 'ours' : 'bar'}" x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="3"/>`,
      text: `<text class="name" x="${LEFT - 10}" y="${y + 14}">${escape(title)}</text>
<text class="ratio" x="${(LEFT + width + 8).toFixed(1)}" y="${y + 14}">${ratio.toFixed(2)}</text>`,
    };
  });
  return `<text class="head" x="${LEFT}" y="${top + 20}">${escape(title)}</text>
${lines.map(({ bar }) => bar).join('\n')}
<line class="line" x1="${x}" x2="${x}" y1="${first - 6}" y2="${first + bars.length * ROW}"/>
${lines.map(({ text }) => text).join('\n')}`;
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
