/** The changes of a session since it was last read or saved. */
import type { EggSession } from '../egg';

/** The values of a session as JSON, by key. */
export type Fields = Readonly<Record<string, string | undefined>>;

type Change = [key: string, json: string | undefined];

export function fieldsOf(session: EggSession): Fields {
  const plain: Record<string, unknown> = { ...session.toJSON(), maxAge: session.maxAge }; // an accessor, which toJSON() omits
  return Object.fromEntries(Object.entries(plain).map(([key, value]) => [key, JSON.stringify(value)]));
}

export function changes(before: Fields, now: Fields): Change[] {
  return Object.keys({ ...before, ...now })
    .filter(key => before[key] !== now[key])
    .map(key => [key, now[key]]);
}

/** @param isRequired whether the session has to be saved even without changes */
export function change(session: EggSession, changed: Change[], isRequired: boolean): void {
  if (isRequired) session.maxAge = session.maxAge; // oxlint-disable-line no-self-assign -- the setter makes the plugin save
  for (const [key, json] of changed) {
    if (json === undefined) Reflect.deleteProperty(session, key);
    else Reflect.set(session, key, JSON.parse(json));
  }
}
