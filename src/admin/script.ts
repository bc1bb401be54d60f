/** What runs in the admin page. A text, since it is not compiled for pages. It writes all data by `textContent`. */
export const SCRIPT = String.raw`'use strict';
const get = id => document.getElementById(id);
const meta = name => document.querySelector('meta[name=' + name + ']');
const view = { namespace: '/', room: '', user: '', search: '', socket: '', after: 0 };
let timer, asked = 0, before = new Map();

document.querySelector('h1').textContent = meta('app').content;

async function refresh() {
  clearTimeout(timer);
  if (document.hidden) return;
  const number = ++asked;
  try {
    const response = await fetch('io/state?' + new URLSearchParams(view), { signal: AbortSignal.timeout(15_000) });
    if (!response.ok) throw new Error(response.status === 403 ? 'Not allowed any more: the log says why' : 'The server answers ' + response.status);
    const state = await response.json();
    if (number !== asked) return; // the page shows something else by now
    show(state);
    get('problem').textContent = state.problem ? 'Some processes are missing: ' + state.problem : '';
  } catch (error) {
    if (number === asked) get('problem').textContent = error.message;
  }
  if (number === asked) timer = setTimeout(refresh, 1000);
}

function show({ processes, namespaces, sockets, rooms, users, shown }) {
  const rates = ratesOf(processes);
  const sum = name => processes.reduce((total, one) => total + (rates.get(one.id)?.[name] ?? 0), 0);
  get('status').textContent = processes.length === 1 ? '1 worker' : processes.length + ' workers';
  get('connections').textContent = number(processes.reduce((total, one) => total + one.connections, 0));
  get('sockets-now').textContent = number(namespaces.entries.find(([name]) => name === view.namespace)?.[1] ?? 0);
  get('connects').textContent = rate(sum('connections'));
  get('events').textContent = rate(sum('events'));
  get('errors').textContent = rate(sum('errors'));
  options(namespaces);
  const isOneHost = new Set(processes.map(one => one.host)).size === 1;
  const workers = new Map(processes.map(one => [one.id, isOneHost ? one.worker : one.host + ' ' + one.worker]));
  list('sockets', sockets.entries, one => one.id, one => [
    { text: one.id, code: true, click: () => open(one.id) }, { text: one.user ?? '–' }, { text: one.address ?? '–', type: 'wide' },
    { text: one.transport, type: 'wide' }, { text: workers.get(one.process) ?? '–', type: 'wide' }, { text: span(Date.now() - one.since), type: 'end' }]);
  get('socket-count').textContent = counted(sockets, 'newest ');
  for (const [name, counts, what] of [['rooms', rooms, 'room'], ['users', users, 'user']]) {
    list(name, counts.entries, ([key]) => key, ([key, size]) => [{ text: key, click: () => only(what, key) }, { text: number(size), type: 'end' }]);
    get(what + '-count').textContent = counted(counts, 'largest ');
  }
  list('processes', processes, one => one.id, one => [
    { text: one.worker + ' (pid ' + one.pid + ')' }, { text: one.host, type: 'wide' }, { text: number(one.connections), type: 'end' },
    { text: rate(rates.get(one.id)?.events ?? 0), type: 'end' }, { text: Math.round(one.memory / 1048576) + ' MB', type: 'end' },
    { text: span(one.uptime * 1000), type: 'end wide' }]);
  if (view.socket) showSocket(shown, workers);
}

function ratesOf(processes) {
  const rates = new Map(), now = new Map();
  for (const { id, uptime, counts } of processes) {
    const last = before.get(id);
    now.set(id, { uptime, counts });
    if (!last || uptime <= last.uptime) continue;
    const per = name => (counts[name] - last.counts[name]) / (uptime - last.uptime);
    rates.set(id, { events: per('events'), errors: per('errors'), connections: per('connections') });
  }
  before = now;
  return rates;
}

function showSocket(shown, workers) {
  get('gone').hidden = Boolean(shown);
  get('disconnect').disabled = !shown;
  if (!shown) return;
  const { traffic } = shown;
  get('about').textContent = [shown.user && 'user ' + shown.user, shown.address, shown.transport, 'worker ' + (workers.get(shown.process) ?? '–'),
    'for ' + span(Date.now() - shown.since), shown.rooms.length ? 'rooms: ' + shown.rooms.join(', ') : 'in no room',
    traffic && traffic.packetsIn + ' packets in, ' + traffic.packetsOut + ' out'].filter(Boolean).join(' · ');
  for (const seen of shown.events) {
    view.after = Math.max(view.after, seen.number);
    const failed = seen.outcome && seen.outcome !== 'OK' ? ' failed' : '';
    get('seen').prepend(row([{ text: new Date(seen.at).toLocaleTimeString() }, { text: (seen.isOutgoing ? '← ' : '→ ') + seen.event, code: true },
      { text: seen.size === undefined ? '–' : number(seen.size), type: 'end' },
      { text: seen.duration === undefined ? '–' : seen.duration.toFixed(1), type: 'end' },
      { text: seen.outcome ?? 'sent', type: 'end' + failed }]));
  }
  while (get('seen').rows.length > 200) get('seen').lastChild.remove();
}

// Rows stay the same elements, so that one that is about to be clicked stays where it is.
function list(id, entries, keyOf, cellsOf) {
  const body = get(id), rows = new Map([...body.rows].map(one => [one.key, one]));
  const wanted = entries.map(entry => {
    const key = keyOf(entry), cells = cellsOf(entry), known = rows.get(key);
    if (!known) return Object.assign(row(cells), { key });
    cells.forEach(({ text }, index) => {
      const place = known.cells[index].querySelector('button, code') ?? known.cells[index];
      if (place.textContent !== text) place.textContent = text;
    });
    return known;
  });
  if (wanted.length !== body.rows.length || wanted.some((one, index) => one !== body.rows[index])) body.replaceChildren(...wanted);
}

function row(cells) {
  const tr = document.createElement('tr');
  for (const { text, type, code, click } of cells) {
    const td = tr.insertCell();
    td.className = type ?? '';
    const place = click ? td.appendChild(document.createElement('button')) : code ? td.appendChild(document.createElement('code')) : td;
    if (click) Object.assign(place, { type: 'button', onclick: click });
    place.textContent = text;
  }
  return tr;
}

function options({ entries }) {
  const select = get('namespace'), sizes = new Map([[view.namespace, 0], ...entries]), names = [...sizes.keys()].sort();
  if (names.length !== select.length || names.some((name, index) => name !== select.options[index].value)) {
    select.replaceChildren(...names.map(name => new Option('', name)));
    select.value = view.namespace;
  }
  for (const one of select.options) {
    const text = one.value + ' (' + sizes.get(one.value) + ')';
    if (one.textContent !== text) one.textContent = text;
  }
}

const number = value => value.toLocaleString();
const rate = value => value === 0 || value >= 10 ? number(Math.round(value)) : value.toFixed(1);
const counted = ({ entries, count }, which) => entries.length < count ? which + number(entries.length) + ' of ' + number(count) : number(count);
function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  return s < 60 ? s + ' s' : s < 3600 ? Math.floor(s / 60) + ' min' : s < 86400 ? Math.floor(s / 3600) + ' h' : Math.floor(s / 86400) + ' d';
}

function only(what, name) {
  Object.assign(view, { room: '', user: '', [what]: name });
  get('clear').hidden = !name;
  get('clear').textContent = name ? what + ' ' + name + ' ✕' : '';
  open('');
}

function open(socket) {
  Object.assign(view, { socket, after: 0 });
  get('seen').replaceChildren();
  get('about').textContent = '';
  get('shown').hidden = !socket;
  document.querySelector('#shown h2').textContent = 'Socket ' + socket;
  get('target').textContent = 'to ' + targetName();
  if (socket) get('shown').scrollIntoView({ block: 'nearest' });
  refresh();
}

const target = () => view.socket ? { socket: view.socket } : view.user ? { user: view.user } : view.room ? { room: view.room } : {};
function targetName() {
  const [[what, name] = []] = Object.entries(target());
  return what ? what + ' ' + name : 'everybody in ' + view.namespace;
}

async function act(action) {
  const result = get('result');
  try {
    const headers = { 'content-type': 'application/json', [meta('token').dataset.header]: meta('token').content };
    const body = JSON.stringify({ namespace: view.namespace, ...target(), ...action });
    const response = await fetch('io/act', { method: 'POST', headers, body });
    const { done, problem } = response.headers.get('content-type')?.includes('json') ? await response.json() : { problem: await response.text() };
    result.textContent = done ? 'Done: ' + done : problem ?? 'The server answers ' + response.status;
    result.className = done ? '' : 'failed';
  } catch (error) {
    result.textContent = error.message;
    result.className = 'failed';
  }
  refresh();
}

get('namespace').onchange = event => { view.namespace = event.target.value; only('room', ''); };
get('search').oninput = event => { view.search = event.target.value; refresh(); };
get('clear').onclick = () => only('room', '');
get('close').onclick = () => open('');
get('disconnect').onclick = () => {
  if (confirm('Disconnect this socket? Its client does not reconnect by itself.')) act({ kind: 'disconnect' });
};
get('emit').onsubmit = event => {
  event.preventDefault();
  let args;
  try { args = JSON.parse(get('args').value || '[]'); } catch {}
  get('args').setCustomValidity(Array.isArray(args) ? '' : 'A JSON array, such as ["hello", 7]');
  if (get('args').reportValidity() && (!Object.keys(target()).length ? confirm('Emit to ' + targetName() + '?') : true)) act({ kind: 'emit', event: get('event').value, args });
};
get('args').oninput = () => get('args').setCustomValidity('');
document.addEventListener('visibilitychange', refresh);
open('');
`;
