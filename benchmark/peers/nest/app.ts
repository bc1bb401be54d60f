/** A NestJS gateway for each namespace, with interceptors as what passes each message on, and a provider as the service. */
import 'reflect-metadata';
import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  Module,
  type NestInterceptor,
  UseInterceptors,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import { IsNumber, IsString } from 'class-validator';
import { MessageBody, SubscribeMessage, WebSocketGateway, WebSocketServer } from '@nestjs/websockets';

@Injectable()
class PassInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler) {
    return next.handle();
  }
}

@Injectable()
class MessageService {
  answer(message: unknown) {
    return message;
  }

  receive(message: unknown) {
    count();
  }
}

@WebSocketGateway()
@UseInterceptors(PassInterceptor)
class MessageGateway {
  @WebSocketServer()
  private readonly server!: { emit(event: string, message: unknown): void };

  constructor(private readonly messages: MessageService) {}

  @SubscribeMessage('echo')
  async echo(@MessageBody() message: unknown) {
    return this.messages.answer(message);
  }

  @SubscribeMessage('one-way')
  async receive(@MessageBody() message: unknown) {
    this.messages.receive(message);
  }

  @SubscribeMessage('shout')
  async shout(@MessageBody() message: unknown) {
    this.server.emit('news', message);
  }
}

/** As its documentation validates messages. `whitelist` removes unknown keys, as zod does. */
class Message {
  @IsNumber()
  a!: number;

  @IsString()
  text!: string;
}

@WebSocketGateway({ namespace: '/contract' })
@UsePipes(new ValidationPipe({ transform: true, whitelist: true }))
class ContractGateway {
  @SubscribeMessage('echo')
  async echo(@MessageBody() message: Message) {
    return message;
  }
}

/** A gateway without a service. */
function bareGateway(namespace: string, ...interceptors: (typeof PassInterceptor)[]) {
  @WebSocketGateway({ namespace })
  @UseInterceptors(...interceptors)
  class BareGateway {
    @SubscribeMessage('echo')
    async echo(@MessageBody() message: unknown) {
      return message;
    }

    @SubscribeMessage('one-way')
    async receive() {
      count();
    }
  }
  return BareGateway;
}

@Module({
  providers: [
    MessageService,
    MessageGateway,
    ContractGateway,
    bareGateway('/chain-0'),
    bareGateway('/chain-1', PassInterceptor),
    bareGateway('/chain-5', PassInterceptor, PassInterceptor, PassInterceptor, PassInterceptor, PassInterceptor),
  ],
})
export class AppModule {}

function count() {
  (globalThis as unknown as { received: number }).received++;
}
