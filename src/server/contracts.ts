/** The contracts of namespaces. */
import type { Namespace as SocketIoNamespace } from 'socket.io';
import { checkBroadcasts } from '../backplane/wrappers/encode-once';
import type { Contract } from '../contract/contract';
import { checkContract } from '../contract/declaration';
import { SetupError } from '../errors';
import { namespaceOf } from '../path/namespace';
import type { Presences } from '../presence/presences';
import { requirePresenceEvent } from './join-presence';
import { refuseOnDemand } from './route-methods';

export class Contracts {
  readonly #checkOutgoing: boolean;
  readonly #presences: () => Presences | undefined;
  readonly #namespaces = new Map<Contract, SocketIoNamespace>();

  /** @param checkOutgoing whether what the server sends is checked too */
  constructor(checkOutgoing: boolean, presences: () => Presences | undefined) {
    this.#checkOutgoing = checkOutgoing;
    this.#presences = presences;
  }

  get all(): readonly Contract[] {
    return [...this.#namespaces.keys()];
  }

  /**
   * The namespace of a contract.
   * @param isStarted whether the app has started, so that packets may have come already
   * @param of creates the namespace if it does not exist
   * @throws SetupError if the contract is not valid, the namespace has another one, or the app has started
   */
  namespaceOf(contract: Contract, isStarted: boolean, of: (name: string) => SocketIoNamespace): SocketIoNamespace {
    const known = this.#namespaces.get(contract);
    if (known) return known;
    checkContract(contract);
    const place = `of(contract) for namespace '${contract.namespace}'`;
    if (isStarted) throw new SetupError('IO_CONTRACT_LATE', `${place}: the app has started; call it in app/router.js or app.js first`);
    const nsp = of(contract.namespace);
    const namespace = namespaceOf(nsp);
    if (!namespace) throw new TypeError(`namespace '${nsp.name}' has not been taken over`);
    refuseOnDemand(namespace, place);
    requirePresenceEvent(this.#presences(), contract);
    namespace.setContract(contract, this.#checkOutgoing);
    this.#namespaces.set(contract, nsp);
    for (const each of nsp.server._nsps.values()) if (namespaceOf(each)?.outgoing === namespace.outgoing) checkEmitsTo(each);
    return nsp;
  }
}

/** Checks the broadcasts of a namespace with a contract. To be called when it has a new adapter. */
export function checkEmitsTo(nsp: SocketIoNamespace): void {
  const outgoing = namespaceOf(nsp)?.outgoing;
  if (outgoing) checkBroadcasts(nsp.adapter, packet => outgoing.event(packet));
}
