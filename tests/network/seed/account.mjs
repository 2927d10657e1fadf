// Fills one account with a bit of everything that people keep: exactly as many records as asked for, plus edits and
// deletes that leave their traces in the history but not in the count.
import { Author } from './author.mjs';
import { strangerCid, strangerDid, tid } from './identifiers.mjs';
import { jpeg, png } from './pictures.mjs';
import { Random } from './random.mjs';
import { ABOUT, NAMES, postText } from './words.mjs';

/** A kind of record that no server knows: kept as it is, unvalidated. */
export const DIARY = 'test.skykeep.diary.entry';

const LIFE = { from: new Date('2026-01-04T07:30:00Z'), to: new Date('2026-06-28T21:00:00Z') };

/** Creates an account and fills it. Returns its summary; see `Author.summary`. */
export async function seedAccount(url, credentials, { records, seed, largeBlob, pictures }) {
  const random = new Random(seed);
  const author = await Author.join(url, credentials, { ...LIFE, steps: records * 2 });
  await introduce(author, random.fork('profile'), { displayName: random.pick(NAMES), description: random.pick(ABOUT) });
  await fill(author, random.fork('fill'), { records: records - 1, largeBlob, pictures });
  return author.summary();
}

/** Writes a profile with avatar and banner, as a first version and its edit. One record. */
export async function introduce(author, random, { displayName, description }) {
  const first = { $type: 'app.bsky.actor.profile', displayName, createdAt: author.nextTime().toISOString() };
  const profile = await author.create('app.bsky.actor.profile', first, { rkey: 'self' });
  await author.flush();
  const avatar = await author.upload(png(random, 256, 256), 'image/png');
  const banner = await author.upload(jpeg(random, 600, 200), 'image/jpeg');
  await author.edit(profile, { ...first, description, avatar, banner });
  await author.flush();
}

/**
 * Writes `records` records that stay, of every kind, among some that are edited or deleted again.
 *
 * `largeBlob` is the size in bytes of one video (0: none), `pictures` how many posts carry pictures.
 */
export async function fill(author, random, { records, largeBlob, pictures = picturesFor(records) }) {
  const life = new Life(author, random);
  for (const kind of schedule(random, { records, video: largeBlob > 0, pictures })) {
    await life[kind](largeBlob);
    // Now and then a commit, so that there are posts to answer to and a history with some length.
    if (random.below(Math.max(4, Math.min(100, records / 5))) === 0) await author.flush();
  }
  await life.changeMind(Math.max(1, Math.round(records / 50)));
  await author.flush();
}

function picturesFor(records) {
  return Math.max(2, Math.min(100, Math.round(records / 20)));
}

/** The kinds of the records to write, in order: a post with facets first, so that there is something to refer to. */
function schedule(random, { records, video, pictures }) {
  const share = (percent, atLeast) => Math.max(atLeast, Math.floor((records * percent) / 100));
  const quota = {
    video: video ? 1 : 0,
    diary: share(4, 1),
    follow: share(10, 1),
    like: share(22, 1),
    repost: share(4, 0),
    picture: Math.min(pictures, Math.floor(records / 4)),
    reply: share(16, 1),
  };
  const kinds = Object.entries(quota).flatMap(([kind, count]) => Array(count).fill(kind));
  const posts = records - 1 - kinds.length;
  if (posts < 0) throw new Error(`${records + 1} records are too few to hold one of each kind`);
  return ['post', ...random.shuffle([...kinds, ...Array(posts).fill('post')])];
}

/** One method for each kind of record. */
class Life {
  #author;
  #random;
  #posts = [];
  #diary = [];

  constructor(author, random) {
    this.#author = author;
    this.#random = random;
  }

  async post() {
    const rich = this.#posts.length === 0 || undefined;
    const mention = this.#random.chance(30) ? this.#author.account : undefined;
    await this.#post(postText(this.#random, { rich, mention }), this.#random.chance(15) ? this.#card() : undefined);
  }

  async reply() {
    const parent = await this.#somePost();
    const reply = { root: parent.value.reply?.root ?? strongRef(parent), parent: strongRef(parent) };
    await this.#post({ ...postText(this.#random, { reply: true }), reply });
  }

  async picture() {
    const images = [];
    for (let left = 1 + this.#random.below(2); left > 0; left--) {
      const [width, height] = this.#random.pick([
        [96, 72],
        [72, 96],
        [128, 80],
      ]);
      const image = this.#random.chance(50)
        ? await this.#author.upload(png(this.#random, width, height), 'image/png')
        : await this.#author.upload(jpeg(this.#random, width * 4, height * 4), 'image/jpeg');
      images.push({ image, alt: 'Hills under a low sun', aspectRatio: { width, height } });
    }
    await this.#post(postText(this.#random), { $type: 'app.bsky.embed.images', images });
  }

  async video(bytes) {
    // The head of an MP4 file, then noise: as big as asked for, and not to be compressed.
    const head = Buffer.from('0000001c6674797069736f6d0000020069736f6d69736f326d703431', 'hex');
    const media = Buffer.alloc(8);
    media.writeUInt32BE(Math.max(8, bytes - head.length), 0);
    media.write('mdat', 4);
    const noise = this.#random.bytes(Math.max(0, bytes - head.length - media.length));
    const video = await this.#author.upload(Buffer.concat([head, media, noise]), 'video/mp4');
    const aspectRatio = { width: 16, height: 9 };
    await this.#post(
      { text: 'Four minutes of waves', langs: ['en'] },
      { $type: 'app.bsky.embed.video', video, aspectRatio },
    );
  }

  async like() {
    await this.#create('app.bsky.feed.like', { subject: await this.#subject() });
  }

  async repost() {
    await this.#create('app.bsky.feed.repost', { subject: await this.#subject() });
  }

  async follow() {
    await this.#create('app.bsky.graph.follow', { subject: strangerDid(this.#random) });
  }

  /** Every shape that the data model has: a stranger's lexicon may use all of them. */
  async diary() {
    const scan = await this.#author.upload(
      this.#random.bytes(200 + this.#random.below(3000)),
      'application/octet-stream',
    );
    const value = {
      title: 'Übung – 練習 – ✏️',
      page: this.#random.below(100000) - 50000,
      finished: this.#random.chance(50),
      previous: null,
      pressed: { $bytes: this.#random.bytes(24).toString('base64').replace(/=+$/, '') },
      seenIn: { $link: strangerCid(this.#random) },
      weather: [
        { hour: 7, sky: 'fog' },
        { hour: 19, sky: 'clear', details: { wind: [3, 4, -1], notes: [] } },
      ],
      scan,
    };
    this.#diary.push(await this.#create(DIARY, value));
  }

  /** Edits some of what was written, and writes posts that are deleted again, one of them with a picture. */
  async changeMind(times) {
    const spare = this.#posts.length;
    await this.picture();
    for (let n = 1; n < times; n++) await this.post();
    await this.#author.flush();
    for (const post of this.#posts.splice(spare)) await this.#author.delete(post);
    const entries = this.#diary.slice(0, times);
    for (const entry of entries) await this.#author.edit(entry, { ...entry.value, title: 'Again, more carefully' });
    for (let n = entries.length; n < times; n++) {
      const post = this.#posts[(n * 7) % this.#posts.length];
      await this.#author.edit(post, { ...post.value, tags: ['edited'] });
    }
  }

  async #post(content, embed) {
    const post = { ...content, ...(embed ? { embed } : {}) };
    this.#posts.push(await this.#create('app.bsky.feed.post', post));
  }

  async #create(collection, value) {
    const time = this.#author.nextTime();
    return this.#author.create(collection, { $type: collection, ...value, createdAt: time.toISOString() }, { time });
  }

  /** A card for a link, or a quoted post. */
  #card() {
    const known = this.#posts.filter((post) => post.cid);
    if (known.length > 0 && this.#random.chance(50)) {
      return { $type: 'app.bsky.embed.record', record: strongRef(this.#random.pick(known)) };
    }
    const external = {
      uri: 'https://garden.example/notes/2026',
      title: 'Notes from the garden',
      description: 'Week 12',
    };
    return { $type: 'app.bsky.embed.external', external };
  }

  /** A post whose CID is known: sent already, or sent now. */
  async #somePost() {
    if (!this.#posts.some((post) => post.cid)) await this.#author.flush();
    return this.#random.pick(this.#posts.filter((post) => post.cid));
  }

  /** What people like: often their own circle, often somebody else's. */
  async #subject() {
    if (this.#random.chance(40)) return strongRef(await this.#somePost());
    const rkey = tid(new Date(LIFE.from.getTime() + this.#random.below(86_400_000)), this.#random.below(1024));
    const uri = `at://${strangerDid(this.#random)}/app.bsky.feed.post/${rkey}`;
    return { uri, cid: strangerCid(this.#random) };
  }
}

/** How a record names another one: its address and its content. */
export function strongRef({ uri, cid }) {
  return { uri, cid };
}
