/* The peer of bench_volatile: BullMQ on the same Redis.
 *
 *   peer.js drain SOCKET JOBS CONCURRENCY   adds, then times one worker process
 *   peer.js work SOCKET JOBS CONCURRENCY    times each start; a 'send' process adds
 *   peer.js send SOCKET JOBS PER_SECOND
 *   peer.js version
 *
 * Each prints one line of JSON. Finished jobs are removed, as ours are. */
'use strict';
const { Queue, Worker } = require('bullmq');
const IORedis = require('ioredis');

const [what, path, jobs, more] = process.argv.slice(2);
const count = Number(jobs);
const NAME = 'bench';
const gone = { removeOnComplete: true, removeOnFail: true };
const connect = () => new IORedis({ path, maxRetriesPerRequest: null });
const now = () => Number(process.hrtime.bigint() / 1000n); // CLOCK_MONOTONIC, us

function say(o) {
  return new Promise((done) => process.stdout.write(JSON.stringify(o) + '\n', done));
}

async function drain() {
  const queue = new Queue(NAME, { connection: connect() });
  for (let i = 0; i < count; i += 1000) {
    await queue.addBulk(Array.from({ length: Math.min(1000, count - i) },
      (_, k) => ({ name: 'n', data: { n: i + k }, opts: gone })));
  }
  const from = now();
  let done = 0;
  await new Promise((over) => {
    const worker = new Worker(NAME, async () => {}, { connection: connect(), concurrency: Number(more) });
    worker.on('completed', () => { if (++done === count) over(); });
  });
  await say({ per_s: count / ((now() - from) / 1e6) });
}

async function work() {
  const late = [];
  await new Promise((over) => {
    const worker = new Worker(NAME, async (job) => { late.push(now() - job.data.at); },
      { connection: connect(), concurrency: Number(more) });
    worker.on('completed', () => { if (late.length === count) over(); });
    worker.waitUntilReady().then(() => say({ ready: true }));
  });
  late.splice(0, Math.floor(count / 10)); // until both are warm
  late.sort((a, b) => a - b);
  const at = (p) => late[Math.floor(late.length * p)] / 1000;
  await say({ p50_ms: at(0.5), p99_ms: at(0.99), max_ms: late[late.length - 1] / 1000 });
}

async function send() {
  const queue = new Queue(NAME, { connection: connect() });
  const every = 1e6 / Number(more);
  await queue.waitUntilReady();
  const from = now();
  const adds = [];
  for (let i = 0; i < count;) {
    for (; i < count && now() >= from + i * every; i++) {
      adds.push(queue.add('n', { at: now() }, gone));
    }
    await new Promise((over) => setTimeout(over, 1));
  }
  await Promise.all(adds);
  await say({ sent: count, per_s: count / ((now() - from) / 1e6) });
}

const roles = { drain, work, send,
  version: () => say({ bullmq: require('bullmq/package.json').version,
    ioredis: require('ioredis/package.json').version, node: process.version }) };
roles[what]().then(() => process.exit(0), (e) => { console.error(e); process.exit(1); });
