/** Socket.IO's own parser, and its private members: each with its reason. */
import type { Server, Socket } from 'socket.io';
import { hasMembers, type Members, type Specimens } from './members';
import { requireThrough } from './require-through';

interface DecoderInternals {
  readonly reconstructor?: object | null;
  listeners(event: 'decoded'): readonly unknown[];
}

interface DecoderClass {
  isPayloadValid(type: number, data: unknown): boolean;
}

interface ClientInternals {
  readonly decoder: DecoderInternals;
}

type Parser = Server['_parser'];

const fallback = 'each event costs more, since it goes through Engine.IO and the parser';

export const DECODER: Members<DecoderInternals> = {
  package: 'socket.io-parser',
  owner: 'Decoder',
  why: {
    reconstructor: 'while bytes of an event are to come, a text is an error',
    listeners: 'those of the app hear of each packet',
  },
  fallback,
};

export const DECODER_CLASS: Members<DecoderClass> = {
  package: 'socket.io-parser',
  owner: 'Decoder',
  why: { isPayloadValid: 'checks events that do not go through the parser' },
  fallback,
};

export const CLIENT_DECODER: Members<ClientInternals> = {
  package: 'socket.io',
  owner: 'Client',
  why: { decoder: 'may be in the middle of an event with bytes' },
  fallback,
};

const parser = requireThrough('socket.io')('socket.io-parser') as Parser; // what Socket.IO declares it to be

/** Whether the parser's own check of the data of a packet accepts it. */
export const isPayloadValid = (parser.Decoder as unknown as DecoderClass).isPayloadValid; // private

/** Objects for the boot's check. */
export function parserSpecimens(): Specimens {
  const decoder = new parser.Decoder();
  decoder.add('51-["specimen",{"_placeholder":true,"num":0}]'); // an event whose bytes are to come: only then the field is there
  return [
    [DECODER, decoder],
    [DECODER_CLASS, parser.Decoder],
  ];
}

/** Whether a parser is Socket.IO's own, with all members that are used. */
export function isKnownParser(other: Parser): boolean {
  return other === parser && [...parserSpecimens()].every(([members, specimen]) => specimen !== undefined && hasMembers(members, specimen));
}

/** Whether nobody but Socket.IO listens to a client's decoder, and no bytes of the last event are to come. */
export function isDecoderIdle(client: Socket['client']): boolean {
  const { decoder } = client as unknown as ClientInternals; // private
  return !decoder.reconstructor && decoder.listeners('decoded').length === 1;
}
