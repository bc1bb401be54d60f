const { Service } = require('egg');

module.exports = class NotesService extends Service {
  read(data) {
    return data;
  }

  async write(user, data) {
    if (user !== 'soak') throw new Error(`${user} may not write`);
    return { user, data };
  }
};
