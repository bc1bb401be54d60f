/**
 * Broadcasts that ask for acknowledgements. Socket.IO waits for them until their time is over; here that ends as soon as
 * others cannot be reached any more, with an error that says so and the answers that are there.
 */
import type { Namespace, Socket } from 'socket.io';
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';

/** The way to others, as far as it matters here. */
export interface Fallible {
  /** What the clients of this process have to answer once the others are lost, in ms. */
  readonly localPatience: number;
  /** Calls back when others cannot be asked any more. Returns how to take that back. */
  onSilence(callback: () => void): () => void;
  /** That they cannot be asked. */
  error(): Error;
}

type Callback = (error: Error | null, responses: unknown) => void;

/** Socket.IO's BroadcastOperator, which it exports as a type of many parameters only. */
interface Operator {
  readonly flags: { readonly local?: boolean };
  emit(event: string, ...args: unknown[]): boolean;
}

const METHODS = ['to', 'in', 'except', 'compress', 'timeout'] as const;
const GETTERS = ['volatile', 'local'] as const;

/** Puts it on a namespace, and on the sockets that connect to it. */
export function endInOutage(nsp: Namespace, adapter: Adapter, way: Fallible): void {
  const answers = collectAnswers(adapter);
  const plain = Object.getPrototypeOf(nsp.to([])) as Operator; // before it is changed here
  const own = Object.create(plain) as Operator;
  const adopt = (operator: unknown): unknown => Object.setPrototypeOf(operator, own) as unknown;
  for (const target of [
    { of: own, from: plain },
    { of: nsp, from: Object.getPrototypeOf(nsp) as object },
  ]) {
    for (const name of METHODS) {
      const method = Reflect.get(target.from, name) as (...args: unknown[]) => unknown; // these have it, all of them
      define(target.of, name, {
        value(...args: unknown[]): unknown {
          return adopt(method.apply(this, args));
        },
      });
    }
    for (const name of GETTERS) {
      define(target.of, name, {
        get(): unknown {
          return adopt(Reflect.get(target.from, name, this));
        },
      });
    }
  }
  define(own, 'emit', {
    value(this: Operator, event: string, ...args: unknown[]): boolean {
      const callback = args.at(-1);
      if (typeof callback !== 'function' || this.flags.local) return plain.emit.call(this, event, ...args);
      const collected = answers.expect(this.flags);
      const answer = once(callback as Callback, () => cancel()); // Socket.IO calls it so
      let timer: NodeJS.Timeout | undefined;
      const forget = way.onSilence(() => {
        timer = setTimeout(() => answer(way.error(), collected), way.localPatience);
      });
      const cancel = (): void => {
        forget();
        clearTimeout(timer);
      };
      try {
        return plain.emit.call(this, event, ...args.slice(0, -1), answer);
      } catch (error) {
        cancel(); // nothing has been sent
        throw error;
      }
    },
  });
  const ofSocket = function (this: Socket): unknown {
    return adopt(newBroadcastOperator?.call(this));
  };
  let newBroadcastOperator: ((this: Socket) => unknown) | undefined;
  nsp.on('connect', socket => {
    newBroadcastOperator ??= Reflect.get(Object.getPrototypeOf(socket) as object, 'newBroadcastOperator') as typeof newBroadcastOperator; // private
    define(socket, 'newBroadcastOperator', { value: ofSocket });
  });
}

/**
 * Keeps the answers of each broadcast, which Socket.IO keeps to itself. And where a broadcast is `local`, one server is to answer:
 * Socket.IO waits for all that there are.
 */
function collectAnswers(adapter: Adapter): { expect(flags: object): unknown[] } {
  const byFlags = new WeakMap<object, unknown[]>(); // each operator has flags of its own, and hands them over
  const broadcastWithAck = adapter.broadcastWithAck.bind(adapter);
  const serverCount = adapter.serverCount.bind(adapter);
  let isLocal = false; // from a broadcast to the question how many servers there are, which Socket.IO asks at once
  Object.assign(adapter, {
    broadcastWithAck(packet: unknown, opts: BroadcastOptions, countClients: (count: number) => void, ack: (answer: unknown) => void): void {
      const collected = opts.flags && byFlags.get(opts.flags);
      broadcastWithAck(packet, opts, countClients, answer => {
        collected?.push(answer);
        ack(answer);
      });
      isLocal = opts.flags?.local === true;
    },
    async serverCount(): Promise<number> {
      const isOfLocal = isLocal;
      isLocal = false;
      return isOfLocal ? 1 : serverCount();
    },
  });
  return {
    expect(flags) {
      const collected: unknown[] = [];
      byFlags.set(flags, collected);
      return collected;
    },
  };
}

function once(callback: Callback, called: () => void): Callback {
  let isCalled = false;
  return (error, responses) => {
    if (isCalled) return;
    isCalled = true;
    called();
    callback(error, responses);
  };
}

function define(target: object, name: string, descriptor: PropertyDescriptor): void {
  Object.defineProperty(target, name, { configurable: true, ...descriptor });
}
