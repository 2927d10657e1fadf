// Made-up posts: everyday sentences in a few languages, with emoji and accents, and the facets that belong to them.
const SENTENCES = {
  en: [
    'First tomatoes of the year from the balcony',
    'The old lighthouse had its light on again tonight',
    'Made far too much soup, please come by',
    'Today the swifts came back ✨',
    'Finished the blanket. It only took two winters',
    'Somebody left a very good book on the train',
    'Rain on the tin roof, tea, nothing else',
    'The bakery has those cardamom buns again',
    'Taught the neighbour’s kids to whistle 🎶 sorry, everyone',
    'Low tide, long walk, sand in everything',
  ],
  de: ['Der Apfelbaum trägt dieses Jahr für drei Familien 🍎', 'Endlich wieder Schnee auf den Dächern'],
  fr: ['Le marché sent déjà les pêches', 'Un café, une chaise au soleil, et voilà ☀️'],
  ja: ['川沿いの桜が咲きはじめた🌸', '今日は一日じゅう本を読んでいた'],
  pt: ['O mar hoje estava da cor do céu', 'Feijoada para dezassete pessoas 😅'],
};
const TAILS = ['', '', '', ' 🙂', ' 👩‍👩‍👧', '!', ' …', '\n\nMore tomorrow.'];
const TAGS = ['garden', 'slowsunday', 'birds', 'küche', '読書'];
const LINKS = [
  'https://garden.example/notes/2026',
  'https://bakery.example/buns?kind=cardamom',
  'https://tides.example/',
];
const REPLIES = [
  'Oh, I remember that!',
  'Save some for me 🙏',
  'How did you do it?',
  'That made my morning.',
  'Ça donne envie !',
  'わかる',
  'Same here, since Tuesday.',
];
export const NAMES = [
  'Juniper Vale',
  'Tomasz Łąka',
  'Inês Figueira',
  'Haru 🍵',
  'Nadia Bright',
  'Old Walter',
  'Søren Holm',
];
export const ABOUT = [
  'Bread, birds and bad puns. Photos are mine.',
  'Keeper of a small garden and a large teapot.',
  'Notes from the coast. English, português, a little 日本語.',
];

/** {text, langs, facets?} for a post; a facet's range is in bytes of UTF-8. */
export function postText(random, { reply = false, rich = random.chance(40), mention } = {}) {
  const lang = reply ? 'en' : random.pick(Object.keys(SENTENCES));
  const parts = [{ text: (reply ? random.pick(REPLIES) : random.pick(SENTENCES[lang])) + random.pick(TAILS) }];
  if (rich) {
    const tag = random.pick(TAGS);
    parts.push({ text: ' ' }, { text: `#${tag}`, feature: { $type: `${FACET}#tag`, tag } });
    if (mention) parts.push({ text: ' with ' }, { text: `@${mention.handle}`, feature: mentionOf(mention) });
    if (random.chance(60)) {
      const uri = random.pick(LINKS);
      parts.push({ text: ' → ' }, { text: uri.slice(8, 30), feature: { $type: `${FACET}#link`, uri } });
    }
  }
  return { ...withFacets(parts), langs: [lang] };
}

/** Joins parts {text, feature?} into a text and its facets. */
export function withFacets(parts) {
  let text = '';
  const facets = [];
  for (const part of parts) {
    const byteStart = Buffer.byteLength(text);
    text += part.text;
    const index = { byteStart, byteEnd: Buffer.byteLength(text) };
    if (part.feature) facets.push({ $type: FACET, index, features: [part.feature] });
  }
  return facets.length > 0 ? { text, facets } : { text };
}

export function mentionOf({ did }) {
  return { $type: `${FACET}#mention`, did };
}

const FACET = 'app.bsky.richtext.facet';
