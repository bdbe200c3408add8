'use strict';
// The exchange in Node.js with `ws` and `ioredis`, as their documentation leads to.
//
// It speaks the part of the wire that the bench uses: identify, create_invite, connect, ask, answer. Messages cross nodes
// by Redis pub/sub, one channel a user. Friends are known from memory, as in the exchange; there are no limits, logs,
// metrics or leases.
//
//   node server.js <port> <unix socket of Redis>

const { randomBytes } = require('node:crypto');
const { Redis } = require('ioredis');
const { WebSocketServer } = require('ws');

const INVITE_SECONDS = 1800;
const [port, socketPath] = process.argv.slice(2);
// Without `enableAutoPipelining`: it spares Redis, but these nodes used about 5 % more with it and their p99 rose severalfold.
const redis = new Redis(socketPath);
const channels = new Redis(socketPath);
const sessions = new Map(); // channel -> session

const channelOf = (username) => `user:${username}`;

class Session {
  constructor(socket) {
    this.socket = socket;
    this.me = null;
    this.friends = new Map(); // username -> { username, nickname }
    this.send({ type: 'connected', clientId: randomBytes(16).toString('hex') });
  }

  send(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  refuse(message) {
    this.send({ type: 'error', message });
  }

  async handle(request) {
    switch (request.type) {
      case 'ask':
        return this.forward('question', request);
      case 'answer':
        return this.forward('answer', request);
      case 'identify':
        return this.identify(request);
      case 'create_invite':
        return this.invite();
      case 'connect':
        return this.connect(request);
      default:
        return this.refuse(`Unknown message type: ${request.type}`);
    }
  }

  async forward(type, { content, to }) {
    const friend = this.friends.get(to);
    if (!friend) return this.refuse(`No active connection with ${to}`);
    const delivery = { type, content, from: this.me.username, fromNickname: this.me.nickname };
    const reached = await redis.publish(channelOf(to), JSON.stringify(delivery));
    if (!reached) return this.refuse(`${friend.nickname} is not connected`);
    return this.send({ type: `${type}_sent`, content, to: friend.nickname });
  }

  async identify({ username, nickname }) {
    const free = await redis.set(`name:${username}`, 'held', 'NX');
    if (!free) return this.refuse('Username already taken');
    this.me = { username, nickname: nickname || username };
    sessions.set(channelOf(username), this);
    await channels.subscribe(channelOf(username));
    return this.send({ type: 'identified', ...this.me, clientId: randomBytes(16).toString('hex') });
  }

  async invite() {
    const code = randomBytes(3).toString('hex').toUpperCase();
    await redis.set(`invite:${code}`, JSON.stringify(this.me), 'EX', INVITE_SECONDS);
    this.send({ type: 'invite_created', code, from: this.me.nickname, expiresIn: '30 minutes' });
  }

  async connect({ code }) {
    const invite = await redis.getdel(`invite:${code.trim().toUpperCase()}`);
    if (!invite) return this.refuse('Invalid or expired invitation code');
    const friend = JSON.parse(invite);
    const connectionId = randomBytes(8).toString('hex');
    this.friends.set(friend.username, friend);
    const linked = { type: 'friend_connected', connectionId, friend: this.me };
    await redis.publish(channelOf(friend.username), JSON.stringify(linked));
    return this.send({ type: 'connected_to_friend', connectionId, friend });
  }

  // Pass on what came over the user's channel.
  told(text) {
    if (text.startsWith('{"type":"friend_connected"')) {
      const { friend } = JSON.parse(text);
      this.friends.set(friend.username, friend);
    }
    this.socket.send(text);
  }

  async left() {
    if (!this.me) return;
    const channel = channelOf(this.me.username);
    sessions.delete(channel);
    await channels.unsubscribe(channel);
    await redis.del(`name:${this.me.username}`);
  }
}

channels.on('message', (channel, text) => sessions.get(channel)?.told(text));

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(port) });
server.on('connection', (socket) => {
  const session = new Session(socket);
  socket.on('message', (data) => {
    session.handle(JSON.parse(data)).catch((error) => {
      console.error(error);
      socket.terminate();
    });
  });
  socket.on('close', () => session.left().catch(console.error));
});
process.on('SIGTERM', () => process.exit(0));
