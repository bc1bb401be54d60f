/** Base64. Mini programs have no function for it. */

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

export function encodeBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at * 6 < bytes.length * 8; at++) {
    // the six bits of this digit begin in this byte, and may end in the next
    const first = (at * 6) >> 3;
    const two = (Number(bytes[first]) << 8) | Number(bytes[first + 1]); // undefined becomes 0
    text += DIGITS.charAt((two >> (10 - ((at * 6) % 8))) & 63);
  }
  return text + '=='.slice(0, (3 - (bytes.length % 3)) % 3);
}

export function decodeBase64(text: string): ArrayBuffer {
  const digits = text.replace(/=+$/, '');
  const bytes = new Uint8Array((digits.length * 6) >> 3);
  for (let at = 0; at < bytes.length; at++) {
    const first = Math.floor((at * 8) / 6);
    const two = (DIGITS.indexOf(digits.charAt(first)) << 6) | DIGITS.indexOf(digits.charAt(first + 1));
    bytes[at] = two >> (4 - ((at * 8) % 6));
  }
  return bytes.buffer;
}
