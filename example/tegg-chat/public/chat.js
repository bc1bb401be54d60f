/* global io */
const [enter, say, notice, messages] = ['enter', 'say', 'notice', 'messages'].map(id => document.getElementById(id));
const socket = io('/chat', { autoConnect: false });
let room;

enter.addEventListener('submit', event => {
  event.preventDefault();
  room = enter.elements.room.value.trim();
  socket.auth = { name: enter.elements.name.value };
  socket.disconnect().connect();
});

say.addEventListener('submit', async event => {
  event.preventDefault();
  const message = await socket.emitWithAck('say', room, say.elements.text.value);
  if (message.error) notice.textContent = message.error.message;
  else {
    show(message);
    say.reset();
  }
});

socket.on('connect', async () => {
  const known = await socket.emitWithAck('join', room);
  notice.textContent = known.error?.message ?? `You are in ${room}.`;
  say.hidden = Boolean(known.error);
  messages.replaceChildren();
  if (!known.error) for (const message of known) show(message);
});
socket.on('connect_error', ({ message }) => (notice.textContent = message));
socket.on('message', (_room, message) => show(message));
socket.on('left', name => (notice.textContent = `${name} has left.`));
socket.on('announcement', text => (notice.textContent = text));

function show({ from, text }) {
  const item = document.createElement('li');
  item.textContent = `${from}: ${text}`;
  messages.append(item);
}
