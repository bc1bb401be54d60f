/** Begins a session of an app. Returns its cookie, as a client sends it. */
export async function logIn(url) {
  const { headers } = await fetch(`${url}/login`, { headers: { connection: 'close' } });
  const cookies = headers.getSetCookie().map(cookie => cookie.split(';')[0]);
  return cookies.join('; ');
}
