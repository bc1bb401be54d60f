/** A client of a cell of the matrix: it loses its connection, comes back, and knows what it has got. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type Client, newClient, next, refusal } from './client';
import { type Proxy, startProxy } from './proxy';
import type { Cell } from './recovery-promises';
import type { Door, Site } from './recovery-site';
import { until } from './until';

/** A port where nothing listens: the network is not there. */
const NOWHERE = 1;

/** What middleware does that does not let a client in. */
const REFUSED = 'not now';

interface Itinerary {
  /** Where it is at first. */
  readonly home: Door;
  /** Where it comes back to, the first time and the second. */
  readonly returns: readonly [Door, Door];
  /** Who emits to it. */
  readonly speaker: Door;
}

interface Return {
  /** Whether the client knows that it has missed nothing. */
  readonly isRecovered: boolean;
  /** How many events had been emitted. */
  readonly said: number;
}

export class Traveller {
  readonly cell: Cell;
  readonly name: string;
  readonly #t: TestContext;
  readonly #proxy: Proxy;
  readonly #client: Client;
  readonly #auth: { readonly cell: string; step?: string };
  /** What it got since it came for the first time, in order: numbers of events, and its returns. */
  readonly #log: (number | Return)[] = [];
  /** For each connection that has vanished, why the server has ended it. */
  readonly #vanished: Promise<unknown[]>[] = [];
  #itinerary: Itinerary;
  #at: Door;
  #id = '';
  #said = 0;

  private constructor(t: TestContext, cell: Cell, itinerary: Itinerary, proxy: Proxy) {
    this.#t = t;
    this.cell = cell;
    this.name = nameOf(cell);
    this.#itinerary = itinerary;
    this.#at = itinerary.home;
    this.#proxy = proxy;
    this.#auth = { cell: this.name };
    this.#client = newClient(t, proxy.url, { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50, auth: this.#auth });
  }

  /** One that has connected. @param index of the cell among all of its set-up */
  static async start(t: TestContext, cell: Cell, index: number, site: Site): Promise<Traveller> {
    const itinerary = itineraryOf(cell, index, site);
    const traveller = new Traveller(t, cell, itinerary, await startProxy(t, itinerary.home.port));
    await traveller.#connect();
    return traveller;
  }

  async #connect(): Promise<void> {
    await next(this.#client, 'connect');
    await this.#at.ask('mark', this.name);
    this.#id = String(this.#client.id);
    this.#client.on('connect', () => {
      this.#id = String(this.#client.id);
      this.#log.push({ isRecovered: this.#client.recovered, said: this.#said });
    });
    this.#client.on('said', (number: number) => this.#log.push(number));
  }

  toString(): string {
    const log = this.#log.map(entry => (typeof entry === 'number' ? entry : entry.isRecovered ? 'recovered' : 'new'));
    return `${this.name}: ${log.join(' ')} of ${this.#said}`;
  }

  /** An event is emitted to it. */
  async say(): Promise<void> {
    await this.#itinerary.speaker.ask('say', this.name, this.#id, ++this.#said);
  }

  /** It gets an event. */
  async hear(): Promise<void> {
    await this.say();
    while (this.#log.at(-1) !== this.#said) await next(this.#client, 'said');
  }

  /** Whatever has to happen at the moment of the loss. */
  async prepare(): Promise<void> {
    if (this.cell.moment === 'event just now') await this.hear();
    if (this.cell.repetition === 'once') await this.#steal();
  }

  /** Loses its connection. */
  async lose(): Promise<void> {
    this.#proxy.lead(NOWHERE);
    const left = this.#client.connected ? this.#at.told('left', this.name) : undefined;
    if (this.cell.way === 'vanished leg') {
      if (left) this.#vanished.push(left);
      this.#proxy.vanish();
    } else {
      this.#proxy.cut();
      await left;
    }
  }

  /** Loses its connection, since its server has ended. @param successor the only one that is there now */
  loseServer(successor?: Door): void {
    this.#proxy.cut();
    const { home, speaker, returns } = this.#itinerary;
    if (successor) this.#itinerary = { home, returns: [successor, successor], speaker: successor };
    else if (speaker === home) this.#itinerary = { home, returns, speaker: returns[0] };
  }

  /** Comes back, after it has missed events. */
  async comeBack(): Promise<void> {
    const [first, second] = this.#itinerary.returns;
    for (let n = 0; n < 3; n++) await this.say();
    switch (this.cell.repetition) {
      case 'once':
        await this.#steal();
        await this.#enter(first);
        break;
      case 'twice':
        await this.#enter(first);
        await this.lose();
        await this.say();
        await this.#enter(second);
        break;
      case 'while middleware runs':
        await this.#wait(first);
        await this.say();
        await this.lose();
        await this.say();
        await this.#enter(second);
        break;
      case 'after middleware that failed once':
        await this.#fail(first);
        await this.say();
        this.#client.connect();
        await next(this.#client, 'connect');
    }
  }

  /** Fails unless it has got what is promised, and nothing of it is left elsewhere. */
  async check(): Promise<void> {
    await this.hear();
    const journey = String(this);
    let last = 0;
    let missable = 0;
    for (const entry of this.#log) {
      if (typeof entry !== 'number') {
        if (!entry.isRecovered) missable = entry.said; // what was emitted before a client is a new one
        continue;
      }
      assert.ok(entry > last, `nothing twice, and in order: ${journey}`);
      assert.ok(entry - 1 <= Math.max(last, missable), `nothing is lost in silence: ${journey}`);
      last = entry;
    }
    const { isRecovered } = this.cell;
    const returns = this.#log.filter(entry => typeof entry !== 'number');
    assert.equal(
      returns.every(one => one.isRecovered),
      isRecovered,
      journey,
    );
    const ask = async (): Promise<unknown> => this.#itinerary.speaker.ask('sockets', this.name);
    let sockets = await ask();
    // a former connection that nobody has taken over ends when it does not answer heartbeats any more
    if (!isRecovered) await until(this.#t, async () => ((sockets = await ask()) as unknown[]).length === 1);
    assert.deepEqual(sockets, [{ id: this.#client.id, isMarked: isRecovered }], journey);
    // ended by the next one that was let in, and not by a heartbeat
    if (isRecovered) for (const left of this.#vanished) assert.equal((await left)[0], 'forced close', journey);
    this.#client.disconnect();
  }

  /** Somebody has got its private id, but is not let in. */
  async #steal(): Promise<void> {
    const [pid, offset] = ['_pid', '_lastOffset'].map(name => Reflect.get(this.#client, name) as unknown);
    const [{ port }] = this.#itinerary.returns;
    const thief = newClient(this.#t, `http://127.0.0.1:${port}`, { auth: { cell: this.name, step: 'is refused', pid, offset } });
    assert.equal((await refusal(thief)).message, REFUSED);
    thief.disconnect();
  }

  async #enter(door: Door): Promise<void> {
    const connected = next(this.#client, 'connect');
    this.#proxy.lead(door.port);
    await connected;
    this.#at = door;
  }

  /** Begins to connect, until middleware runs. */
  async #wait(door: Door): Promise<void> {
    this.#auth.step = 'waits';
    const waits = door.told('waits', this.name);
    this.#proxy.lead(door.port);
    await waits;
    delete this.#auth.step;
  }

  /** Is not let in. */
  async #fail(door: Door): Promise<void> {
    this.#auth.step = 'is refused';
    this.#proxy.lead(door.port);
    for (;;) {
      const [{ message }] = await next<[Error]>(this.#client, 'connect_error');
      if (message === REFUSED) break; // and not one of a connection that could not be made
    }
    delete this.#auth.step;
  }
}

function nameOf({ way, moment, repetition }: Cell): string {
  return `${way}, ${moment}, ${repetition}`;
}

/** Clients of a set-up with several servers come back to another one than they were at, and some to where they began. */
function itineraryOf({ way, repetition, isRecovered }: Cell, index: number, { lasting, killed, replaced, isShared }: Site): Itinerary {
  const [a, b, c] = isShared ? turned(lasting, index) : [lasting[0], lasting[0], lasting[0]];
  const home = way === 'process killed' ? killed : way === 'worker replaced' ? replaced : a;
  const speaker = isShared ? turned(lasting, Math.floor(index / 3))[0] : home;
  const isBackHome = repetition === 'while middleware runs' && (way === 'clean cut' || isRecovered); // where nothing is promised, it could be
  return { home, returns: [b, isBackHome ? a : c], speaker };
}

function turned<Of>([a, b, c]: readonly [Of, Of, Of], index: number): [Of, Of, Of] {
  return index % 3 === 0 ? [a, b, c] : index % 3 === 1 ? [b, c, a] : [c, a, b];
}
