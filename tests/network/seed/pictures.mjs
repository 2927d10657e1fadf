// Small pictures, painted and encoded here: real PNG and JPEG files that any viewer opens.
//
// PNG: deflate's stored blocks, so that no compressor's version changes a byte (and with it the CID).
// JPEG: baseline, one flat colour for each 8x8 block, so every AC coefficient is zero.
import zlib from 'node:zlib';

const PALETTES = [
  {
    sky: [
      [253, 231, 196],
      [244, 165, 130],
    ],
    sun: [255, 246, 224],
    hills: [
      [150, 111, 132],
      [84, 70, 104],
    ],
  },
  {
    sky: [
      [205, 232, 245],
      [132, 184, 222],
    ],
    sun: [255, 250, 225],
    hills: [
      [120, 172, 140],
      [62, 118, 104],
    ],
  },
  {
    sky: [
      [44, 52, 97],
      [108, 95, 150],
    ],
    sun: [244, 240, 222],
    hills: [
      [62, 66, 112],
      [30, 36, 70],
    ],
  },
  {
    sky: [
      [235, 243, 224],
      [178, 214, 186],
    ],
    sun: [255, 216, 140],
    hills: [
      [216, 170, 100],
      [150, 108, 76],
    ],
  },
];

/** A landscape as a PNG: sky, sun, two lines of hills. */
export function png(random, width, height) {
  const scene = landscape(random, width, height);
  const rows = Buffer.alloc(height * (1 + width * 3));
  for (let y = 0; y < height; y++) {
    // Each row begins with its filter type; 0 is none.
    let at = y * (1 + width * 3) + 1;
    for (let x = 0; x < width; x++) for (const part of scene(x, y)) rows[at++] = part;
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', stored(rows)), chunk('IEND', Buffer.alloc(0))]);
}

/** The same kind of landscape as a mosaic of 8x8 tiles, as a JPEG; sizes are rounded up to whole tiles. */
export function jpeg(random, width, height) {
  const across = Math.ceil(width / 8);
  const down = Math.ceil(height / 8);
  const scene = landscape(random, across, down);
  const bits = new Bits();
  const last = [0, 0, 0];
  for (let y = 0; y < down; y++) {
    for (let x = 0; x < across; x++) {
      ycc(scene(x, y)).forEach((level, component) => {
        bits.difference(level - last[component]);
        bits.push(END_OF_BLOCK.code, END_OF_BLOCK.length);
        last[component] = level;
      });
    }
  }
  const size = [(down * 8) >> 8, (down * 8) & 255, (across * 8) >> 8, (across * 8) & 255];
  return Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    segment(0xe0, [...Buffer.from('JFIF\0'), 1, 1, 0, 0, 1, 0, 1, 0, 0]),
    // A DC coefficient is eight times the mean of its block: dividing by 8 leaves the mean.
    segment(0xdb, [0, ...Array(64).fill(8)]),
    segment(0xc0, [8, ...size, 3, ...[1, 2, 3].flatMap((component) => [component, 0x11, 0])]),
    segment(0xc4, [0x00, ...DC_LENGTHS, ...DC_CODES.keys()]),
    segment(0xc4, [0x10, 1, ...Array(15).fill(0), 0]),
    segment(0xda, [3, ...[1, 2, 3].flatMap((component) => [component, 0x00]), 0, 63, 0]),
    bits.end(),
    Buffer.from([0xff, 0xd9]),
  ]);
}

/** How many codes there are of 1 to 16 bits, for differences of 0 to 11 bits (JPEG annex K.3, luminance DC). */
const DC_LENGTHS = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
const DC_CODES = canonicalCodes(DC_LENGTHS);
/** The only AC symbol here: nothing more in this block. */
const END_OF_BLOCK = { code: 0, length: 1 };

function canonicalCodes(lengths) {
  const codes = [];
  let code = 0;
  lengths.forEach((count, n) => {
    for (let left = count; left > 0; left--) codes.push({ code: code++, length: n + 1 });
    code <<= 1;
  });
  return codes;
}

/** Bits into bytes, with the zero byte that must follow every 0xff. */
class Bits {
  #bytes = [];
  #value = 0;
  #count = 0;

  push(code, length) {
    for (let bit = length - 1; bit >= 0; bit--) {
      this.#value = (this.#value << 1) | ((code >> bit) & 1);
      if (++this.#count < 8) continue;
      this.#bytes.push(this.#value, ...(this.#value === 0xff ? [0] : []));
      this.#value = this.#count = 0;
    }
  }

  difference(amount) {
    const length = amount === 0 ? 0 : 32 - Math.clz32(Math.abs(amount));
    this.push(DC_CODES[length].code, DC_CODES[length].length);
    this.push(amount < 0 ? amount + (1 << length) - 1 : amount, length);
  }

  end() {
    while (this.#count > 0) this.push(1, 1);
    return Buffer.from(this.#bytes);
  }
}

function ycc([r, g, b]) {
  const y = 0.299 * r + 0.587 * g + 0.114 * b;
  return [y - 128, (b - y) * 0.564, (r - y) * 0.713].map((level) => Math.max(-128, Math.min(127, Math.round(level))));
}

function segment(marker, body) {
  const length = body.length + 2;
  return Buffer.from([0xff, marker, length >> 8, length & 255, ...body]);
}

function landscape(random, width, height) {
  const { sky, sun, hills } = random.pick(PALETTES);
  const centre = [(0.2 + random.below(60) / 100) * width, (0.2 + random.below(20) / 100) * height];
  const radius = Math.max(1, (0.08 + random.below(8) / 100) * Math.min(width, height) * 1.4);
  const ridges = hills.map((colour, n) => {
    const wave = [1, 2, 4].map((octave) => ({
      octave: octave * 3,
      phase: random.below(628) / 100,
      size: 0.07 / octave,
    }));
    const base = 0.58 + n * 0.17;
    return {
      colour,
      line: (x) => height * wave.reduce((y, w) => y + w.size * Math.sin((x / width) * w.octave + w.phase), base),
    };
  });
  return (x, y) => {
    for (const ridge of ridges.toReversed()) if (y >= ridge.line(x)) return ridge.colour;
    if (Math.hypot(x - centre[0], y - centre[1]) <= radius) return sun;
    return sky[0].map((from, n) => Math.round(from + ((sky[1][n] - from) * y) / height));
  };
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(zlib.crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

/** A zlib stream of stored blocks (RFC 1950, RFC 1951 section 3.2.4). */
function stored(data) {
  const parts = [Buffer.from([0x78, 0x01])];
  for (let at = 0; at < data.length; at += 65535) {
    const block = data.subarray(at, at + 65535);
    const head = Buffer.alloc(5);
    head[0] = at + 65535 >= data.length ? 1 : 0;
    head.writeUInt16LE(block.length, 1);
    head.writeUInt16LE(~block.length & 0xffff, 3);
    parts.push(head, block);
  }
  let one = 1;
  let two = 0;
  for (const byte of data) {
    one = (one + byte) % 65521;
    two = (two + one) % 65521;
  }
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(((two << 16) | one) >>> 0);
  return Buffer.concat([...parts, sum]);
}
