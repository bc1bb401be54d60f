import type { Application } from 'egg';
import { chat } from '../contract';

export default ({ router, controller, io }: Application) => {
  router.get('/session', controller.session.show);
  router.post('/session', controller.session.create);
  router.delete('/session', controller.session.destroy);
  router.post('/announcements', controller.announcement.create);

  io.of(chat)
    .route('enter', io.controller.chat.enter)
    .route('join', io.controller.chat.join)
    .route('say', io.controller.chat.say)
    .route('typing', io.controller.chat.typing)
    .route('disconnect', io.controller.chat.disconnect);
};
