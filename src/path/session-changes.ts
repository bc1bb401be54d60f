/** What has changed in a session since it was last read or saved. */
import type { EggSession } from '../egg';

/** The values of a session as JSON, by key. */
export type Fields = Readonly<Record<string, string | undefined>>;

type Change = [key: string, json: string | undefined];

export function fieldsOf(session: EggSession): Fields {
  const plain: Record<string, unknown> = { ...session.toJSON(), maxAge: session.maxAge }; // a setter, and so no key of the session's own
  return Object.fromEntries(Object.entries(plain).map(([key, value]) => [key, JSON.stringify(value)]));
}

export function changes(before: Fields, now: Fields): Change[] {
  return Object.keys({ ...before, ...now })
    .filter(key => before[key] !== now[key])
    .map(key => [key, now[key]]);
}

/** @param isRequired whether it has to be written even where nothing has changed */
export function change(session: EggSession, changed: Change[], isRequired: boolean): void {
  if (isRequired) session.maxAge = session.maxAge; // oxlint-disable-line no-self-assign -- a setter: it tells the plugin to save
  for (const [key, json] of changed) {
    if (json === undefined) Reflect.deleteProperty(session, key);
    else Reflect.set(session, key, JSON.parse(json));
  }
}
