// A family of three, for the demo and for tests of several accounts: they follow, answer and like each other.
import { fill, introduce, strongRef } from './account.mjs';
import { Author } from './author.mjs';
import { Random } from './random.mjs';
import { mentionOf, withFacets } from './words.mjs';

const MEMBERS = [
  {
    name: 'alice',
    displayName: 'Alice Hartwell 🌻',
    description: 'Gardener, aunt, early riser. The tomatoes are real.',
  },
  { name: 'bob', displayName: 'Bob Hartwell', description: 'Retired ferry captain. I mostly photograph gulls.' },
  {
    name: 'carol',
    displayName: 'Carol Hartwell',
    description: 'Second-year cello student. Sleeps when the rehearsal is over.',
  },
];

/** Who says what, in order; `to` is the line that it answers, `likes` who liked it, `with` whom it mentions. */
const TALK = [
  {
    by: 'alice',
    text: 'The very first tomato of the year is red. One. I am ridiculously proud.',
    likes: ['bob', 'carol'],
  },
  { by: 'bob', to: 0, text: 'Send a picture to your old father, he has only seen gulls today.', likes: ['alice'] },
  { by: 'carol', to: 1, text: 'He says that as if he didn’t love the gulls 😄', likes: ['alice', 'bob'] },
  {
    by: 'bob',
    text: 'Took the little ferry out one more time. Flat water, no wind, home before dark.',
    likes: ['alice', 'carol'],
  },
  { by: 'carol', to: 3, text: 'Next time I am coming along, and I am bringing the cello.', likes: ['bob'] },
  {
    by: 'carol',
    text: 'Concert on Saturday at seven, and I want to see you in the first row',
    with: ['alice', 'bob'],
    likes: ['alice'],
  },
  { by: 'alice', to: 5, text: 'Wild horses could not keep me away. I’ll bring tomatoes.', likes: ['carol'] },
  { by: 'bob', to: 5, text: 'Suit is at the cleaner’s already.', likes: ['carol', 'alice'] },
  {
    by: 'carol',
    text: 'We played the Elgar without stopping once. Thank you for being there ❤️',
    likes: ['alice', 'bob'],
  },
  { by: 'alice', to: 8, text: 'Your grandmother would have cried, so I did it for her.', likes: ['bob', 'carol'] },
];

const SPRING = { from: new Date('2026-05-02T08:15:00Z'), to: new Date('2026-07-19T20:00:00Z') };

/** How many records the talk itself gives a member at most: profile, follows, posts, likes. */
export const FAMILY_LEAST = 40;

/** Creates alice.test, bob.test and carol.test on one PDS, with `records` records each. Returns their summaries. */
export async function seedFamily(url, { seed, records, largeBlob, invite }) {
  const random = new Random(seed);
  const family = {};
  for (const { name, ...words } of MEMBERS) {
    const credentials = { handle: `${name}.test`, email: `${name}@family.test`, password: `${name}-keeps-it`, invite };
    family[name] = await Author.join(url, credentials, { ...SPRING, steps: records * 2 });
    await introduce(family[name], random.fork(`${name}/profile`), words);
  }
  const counts = { alice: 1, bob: 1, carol: 1 };
  const write = async (name, collection, value) => {
    counts[name]++;
    const time = family[name].nextTime();
    return family[name].create(collection, { $type: collection, ...value, createdAt: time.toISOString() }, { time });
  };
  for (const name in family) {
    for (const other in family)
      if (other !== name) await write(name, 'app.bsky.graph.follow', { subject: family[other].did });
  }
  const lines = [];
  for (const line of TALK) {
    lines.push(await say(write, family, lines, line));
    await family[line.by].flush();
    for (const name of line.likes) await write(name, 'app.bsky.feed.like', { subject: strongRef(lines.at(-1)) });
  }
  const summaries = [];
  for (const name in family) {
    const size = name === 'carol' ? largeBlob : 0;
    await fill(family[name], random.fork(`${name}/fill`), { records: records - counts[name], largeBlob: size });
    summaries.push(await family[name].summary());
  }
  return summaries;
}

async function say(write, family, lines, { by, text, to, with: mentioned = [] }) {
  const mentions = mentioned.flatMap((name) => {
    const { account } = family[name];
    return [{ text: ' ' }, { text: `@${account.handle}`, feature: mentionOf(account) }];
  });
  const parent = lines[to];
  const reply = parent && { root: parent.value.reply?.root ?? strongRef(parent), parent: strongRef(parent) };
  const content = withFacets([{ text }, ...mentions]);
  return write(by, 'app.bsky.feed.post', { ...content, langs: ['en'], ...(reply ? { reply } : {}) });
}
