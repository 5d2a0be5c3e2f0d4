// The steps that take noise out, as WebGL 2 programs.
//
// As in tapetum.realtime.cpu.wide_changes, restoring_time and restoring_space, in the same fixed point: a sample is
// its level of 255 times 128, in textures of whole numbers, which all WebGL 2 has. Where these are
// Y, U and V, all three are as large as the picture: a browser has made red, green and blue of them.
// A cell is 2x2 pixels. Tests hold both to the same numbers.

export const ONE_FRAME = 8; // the unit of evidence: frames that a cell rests on, in eighths
export const TABLE_SIZE = 256; // steps of luma in tables
export const WHOLE = 32767; // a weight that is all
export const WIDE = 4; // cells across and down of a block in which faint changes and texture are looked for

const HEAD = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
precision highp usampler2D;
precision highp isampler2D;
ivec2 here() { return ivec2(gl_FragCoord.xy); }
`;

const FIXED = `
const vec3 WEIGHTS = vec3(0.2126, 0.7152, 0.0722);
const float BLUE_FROM_U = 1.8556, RED_FROM_V = 1.5748, TOP = 32640.0;
const ivec3 GREY = ivec3(0, 16384, 16384);
uniform sampler2D picture;
uniform ivec2 size; // of what is drawn, which need not be the picture's
vec3 own_rgb(ivec2 at) {
  return texture(picture, (vec2(min(at, size - 1)) + 0.5) / vec2(size)).rgb;
}
ivec3 to_fixed(vec3 rgb) {
  float y = dot(rgb, WEIGHTS);
  vec3 yuv = vec3(y, (rgb.b - y) / BLUE_FROM_U, (rgb.r - y) / RED_FROM_V);
  return clamp(ivec3(round(yuv * TOP)) + GREY, 0, int(TOP));
}
vec3 to_rgb(ivec3 fixed_yuv) {
  vec3 yuv = vec3(fixed_yuv - GREY) / TOP;
  float red = yuv.x + RED_FROM_V * yuv.z, blue = yuv.x + BLUE_FROM_U * yuv.y;
  return vec3(red, (yuv.x - WEIGHTS.r * red - WEIGHTS.b * blue) / WEIGHTS.g, blue);
}
`;

/** The picture at half its size. */
const HALVE_PICTURE = `${HEAD}${FIXED}
out uvec4 cell;
void main() {
  ivec2 at = 2 * here();
  ivec3 sum = to_fixed(own_rgb(at)) + to_fixed(own_rgb(at + ivec2(1, 0)));
  sum += to_fixed(own_rgb(at + ivec2(0, 1))) + to_fixed(own_rgb(at + 1));
  cell = uvec4((sum + 2) >> 2, 0);
}`;

/** A plane at half its size; a lone last row or column counts twice. */
const HALVE = `${HEAD}
uniform usampler2D plane;
out uvec4 cell;
void main() {
  ivec2 at = 2 * here(), last = textureSize(plane, 0) - 1;
  uvec3 sum = texelFetch(plane, at, 0).rgb + texelFetch(plane, min(at + ivec2(1, 0), last), 0).rgb;
  sum += texelFetch(plane, min(at + ivec2(0, 1), last), 0).rgb;
  sum += texelFetch(plane, min(at + 1, last), 0).rgb;
  cell = uvec4((sum + 2u) >> 2, 0);
}`;

// The noise of a block of WIDE x WIDE cells, by the cell in its middle.
const BLOCK = `
uniform usampler2D frame;
uniform sampler2D table; // by luma: noise of one frame
float block_deviation() {
  ivec2 first = ${WIDE} * here(), middle = (first + min(first + ${WIDE}, textureSize(frame, 0))) / 2;
  return texelFetch(table, ivec2(texelFetch(frame, middle, 0).r >> 7, 0), 0).r;
}
`;

/**
 * What differs in a block: sixteen times the means of its cells' changes, of their squares, of these
 * along the gradients of what was known, of squared gradients, and of second differences.
 */
const MEAN_WIDE = `${HEAD}${BLOCK}
uniform usampler2D known;
layout(location = 0) out ivec4 changes; // mean, square, along the gradients across and down
layout(location = 1) out ivec4 texture_of; // squared gradients across and down, second differences
int luma(ivec2 at) { return int(texelFetch(frame, at, 0).r); }
int known_luma(ivec2 at) { return int(texelFetch(known, at, 0).r); }
void main() {
  ivec2 size = textureSize(frame, 0), first = ${WIDE} * here(), end = min(first + ${WIDE}, size);
  int most = int(12.0 * block_deviation());
  changes = texture_of = ivec4(0);
  for (int y = first.y; y < end.y; y++)
    for (int x = first.x; x < end.x; x++) {
      ivec2 at = ivec2(x, y), left = ivec2(max(x - 1, 0), y), right = ivec2(min(x + 1, size.x - 1), y);
      ivec2 above = ivec2(x, max(y - 1, 0)), below = ivec2(x, min(y + 1, size.y - 1));
      int change = luma(at) - known_luma(at), step = clamp(change, -512, 512), twice = 2 * luma(at);
      ivec2 steep = ivec2(known_luma(right) - known_luma(left), known_luma(below) - known_luma(above));
      steep = clamp(steep, -2047, 2047);
      int bend = abs(twice - luma(left) - luma(right)) + abs(twice - luma(above) - luma(below));
      changes += ivec4(change, step * step, steep * step);
      texture_of += ivec4(steep * steep, min(bend, most), 0);
    }
  float scale = 16.0 / float((end.x - first.x) * (end.y - first.y));
  changes = ivec4(round(vec4(changes) * scale));
  texture_of = ivec4(round(vec4(texture_of) * scale));
}`;

/** A block with its neighbours: how it changed, in 1/256, and its flatness, `WHOLE` for all of it. */
const JUDGE_WIDE = `${HEAD}${BLOCK}
uniform isampler2D changes, texture_of;
uniform float lean, told; // deviation of a wide mean, and how far texture is told from noise
out ivec4 judged;
void main() {
  ivec2 last = textureSize(changes, 0) - 1;
  ivec4 change_sums = ivec4(0), texture_sums = ivec4(0);
  for (int y = -1; y <= 1; y++)
    for (int x = -1; x <= 1; x++) {
      ivec2 near = clamp(here() + ivec2(x, y), ivec2(0), last);
      int weight = (2 - abs(x)) * (2 - abs(y));
      change_sums += weight * texelFetch(changes, near, 0);
      texture_sums += weight * texelFetch(texture_of, near, 0);
    }
  vec4 change = vec4(change_sums) / 256.0, texture_means = vec4(texture_sums) / 256.0;
  float deviation = block_deviation();
  vec2 along = abs(change.zw) / sqrt(2.25 * texture_means.xy + 8.0 * deviation * deviation);
  float shift = ${WIDE * WIDE}.0 * max(along.x, along.y);
  float stirred = 1.7 * min(change.y, (texture_means.x + texture_means.y) / 8.0) / deviation;
  vec2 explained = change.zw * change.zw / max(texture_means.xy, 0.001);
  float size = sqrt(max(change.y - max(explained.x, explained.y), 0.0));
  float noise_there = max(deviation, min(0.85 * size, 1.6 * deviation));
  float bent = texture_means.z / (3.9 * noise_there);
  shift = max(shift / max(0.86 * size / deviation, 1.0), stirred);
  float flatness = 1.0 - clamp((bent - 1.2 - 0.25 * (1.0 - told)) / 0.5, 0.0, 1.0);
  judged = ivec4(round(256.0 * max(abs(change.x), shift * lean * told)), flatness * ${WHOLE}.0, 0, 0);
}`;

// The evidence in a texture: its count in 1/255 of eighths, and whether nothing new came.
const SHARE = `
const uint NOTHING_NEW = 32768u;
float eighths(uint evidence) { return float(evidence & 32767u) / 255.0; }
int share_of(uint evidence) { // 1 << 15 for all
  if (evidence >= NOTHING_NEW) return 0;
  if (eighths(evidence) < ${ONE_FRAME}.01) return 32768;
  int share = int(${ONE_FRAME * WHOLE}.0 / eighths(evidence));
  return share + (share >> 14);
}
ivec3 learnt(ivec3 old, ivec3 fresh, int share) { return old + (((fresh - old) * share + 16384) >> 15); }
`;

/**
 * Finds what moves in each cell, and moves what is known of the cell towards the frame. Four measures
 * of change, each in units of what noise alone would make of it; the largest counts.
 */
const WEIGH = `${HEAD}${SHARE}
uniform usampler2D frame, known, last;
uniform isampler2D wide; // of JUDGE_WIDE
uniform sampler2D table; // by luma: noise of one frame, noise to smooth, weight
uniform bool is_new;
uniform vec2 chroma_noise;
uniform vec2 leans; // deviation of a binomial mean, and of a wide one, of noise of 1
layout(location = 0) out uvec4 known_now;
layout(location = 1) out uvec4 described; // deviation that remains, its share, weight
const float FRAME = ${ONE_FRAME}.0, MOST = 16.0 * FRAME;
const int MOST_CHANGE = 2047;
void main() {
  ivec2 at = here(), end = textureSize(frame, 0) - 1;
  uvec4 past = texelFetch(known, at, 0);
  ivec3 fresh = ivec3(texelFetch(frame, at, 0).rgb);
  float count = FRAME;
  bool is_news = true;
  float flatness = 1.0;
  if (!is_new) {
    ivec3 sums = ivec3(0);
    int sizes = 0;
    is_news = false;
    for (int y = -1; y <= 1; y++)
      for (int x = -1; x <= 1; x++) {
        ivec2 near = clamp(at + ivec2(x, y), ivec2(0), end);
        ivec3 there = ivec3(texelFetch(frame, near, 0).rgb);
        ivec3 change = clamp(there - ivec3(texelFetch(known, near, 0).rgb), -MOST_CHANGE, MOST_CHANGE);
        int weight = (2 - abs(x)) * (2 - abs(y));
        sums += weight * change;
        sizes += weight * abs(change.r);
        is_news = is_news || there.r != int(texelFetch(last, near, 0).r);
      }
    ivec2 block = texelFetch(wide, at / ${WIDE}, 0).rg;
    flatness = float(block.g) / ${WHOLE}.0;
    float quiet = 1.0 / texelFetch(table, ivec2(fresh.r >> 7, 0), 0).r;
    float before = floor(eighths(past.a) + 0.5);
    float doubt = sqrt(before / max(before + FRAME, FRAME));
    vec3 means = abs(vec3(sums)) / 16.0;
    float mean = max(means.x / leans.x, float(block.r) / 256.0 / leans.y) * quiet;
    mean = max(mean, max(means.y / chroma_noise.x, means.z / chroma_noise.y) / leans.x);
    float fine = float(sizes) / 16.0 * 1.25 * quiet * doubt;
    float motion = clamp(max((mean * doubt - 2.5) / 2.0, (fine - 1.5) / 0.8), 0.0, 1.0);
    is_news = is_news || motion > 0.5;
    count = min(before * (1.0 - motion) + FRAME, MOST);
    if (!is_news) count = before;
  }
  uint evidence = uint(count * 255.0 + 0.5) | (is_news ? 0u : NOTHING_NEW);
  ivec3 now = learnt(ivec3(past.rgb), fresh, share_of(evidence));
  known_now = uvec4(now, evidence);
  vec4 entry = texelFetch(table, ivec2(now.r >> 7, 0), 0);
  float remains = max(inversesqrt(max(count, FRAME) / FRAME), 0.4);
  float deviation = floor(min(entry.g, 1300.0) + 0.5) * remains * flatness;
  described = uvec4(deviation + 0.5, remains * 256.0, entry.b, 0);
}`;

/** Moves the estimate towards the picture, by the evidence of each pixel's cell. */
const LEARN = `${HEAD}${FIXED}${SHARE}
uniform usampler2D estimate, known;
out uvec4 estimate_now;
void main() {
  ivec2 at = here();
  int share = share_of(texelFetch(known, at >> 1, 0).a);
  ivec3 old = ivec3(texelFetch(estimate, at, 0).rgb);
  estimate_now = uvec4(learnt(old, to_fixed(own_rgb(at)), share), 0);
}`;

// Between two neighbours flows all of a small difference and nothing of a large one: an edge. What one
// gains the other loses. What a coarser plane changed is carried up first, bilinearly.
const SMOOTH = `
uniform usampler2D plane, described;
uniform isampler2D coarser;
uniform bool has_coarser;
uniform vec3 factors; // from what is described to tolerances of Y, U and V
ivec3 lift(ivec3 near, ivec3 far) { return (3 * near + far + 2) >> 2; }
void lift_three(ivec3 a, ivec3 b, ivec3 c, bool is_odd, out ivec3 before, out ivec3 at, out ivec3 after) {
  ivec3 low = lift(b, a), high = lift(b, c);
  before = is_odd ? low : lift(a, b);
  at = is_odd ? high : low;
  after = is_odd ? lift(c, b) : high;
}
ivec3 twice_of(ivec2 cell) { // twice the tolerance
  vec3 known = vec3(texelFetch(described, clamp(cell, ivec2(0), textureSize(described, 0) - 1), 0).rgg);
  return ivec3(min(known * 2.0 * factors, 2600.0));
}
ivec3 flow(ivec3 first, ivec3 second, ivec3 twice, bool is_inside) {
  ivec3 way = second - first;
  ivec3 most = max(twice - abs(way), 0);
  return is_inside ? clamp(way, -most, most) : ivec3(0);
}
ivec3 smoothed(ivec2 at, ivec2 cell, ivec2 left_cell, ivec2 upper_cell, ivec2 corner_cell) {
  ivec2 end = textureSize(plane, 0) - 1;
  ivec3 line[9], up[9];
  for (int i = 0; i < 9; i++) {
    ivec2 near = clamp(at + ivec2(i % 3, i / 3) - 1, ivec2(0), end);
    line[i] = ivec3(texelFetch(plane, near, 0).rgb);
  }
  if (has_coarser) {
    ivec2 half_end = textureSize(coarser, 0) - 1, middle = at >> 1;
    ivec3 c[9], v[9];
    for (int i = 0; i < 9; i++)
      c[i] = texelFetch(coarser, clamp(middle + ivec2(i % 3, i / 3) - 1, ivec2(0), half_end), 0).rgb;
    bool odd_row = (at.y & 1) == 1, odd_column = (at.x & 1) == 1;
    for (int i = 0; i < 3; i++) lift_three(c[i], c[i + 3], c[i + 6], odd_row, v[i], v[i + 3], v[i + 6]);
    for (int i = 0; i < 9; i += 3)
      lift_three(v[i], v[i + 1], v[i + 2], odd_column, up[i], up[i + 1], up[i + 2]);
    for (int i = 0; i < 9; i++) line[i] += clamp(up[i], -line[i], 32640 - line[i]);
  }
  ivec3 twice = twice_of(cell), twice_left = twice_of(left_cell);
  ivec3 twice_above = twice_of(upper_cell), twice_corner = twice_of(corner_cell);
  bool left = at.x > 0, right = at.x < end.x, above = at.y > 0, below = at.y < end.y;
  ivec3 own = line[4];
  ivec3 sides = flow(own, line[5], twice, right) - flow(line[3], own, twice_left, left);
  sides += flow(own, line[7], twice, below) - flow(line[1], own, twice_above, above);
  ivec3 corners = flow(own, line[8], twice, right && below) - flow(line[0], own, twice_corner, left && above);
  corners += flow(own, line[6], twice_left, left && below) - flow(line[2], own, twice_above, right && above);
  return own + ((2 * sides + corners + 8) >> 4);
}
`;

/** How a plane of cells, or of a coarser size, is to be changed. */
const CORRECT = `${HEAD}${SMOOTH}
uniform int scale; // log2 of cells to a sample
out ivec4 change;
void main() {
  ivec2 at = here();
  ivec3 now = smoothed(at, at << scale, (at - ivec2(1, 0)) << scale, (at - ivec2(0, 1)) << scale, (at - 1) << scale);
  change = ivec4(now - ivec3(texelFetch(plane, at, 0).rgb), 0);
}`;

/** The picture restored, mixed with its own pixels. */
const FINISH = `${HEAD}${FIXED}${SMOOTH}
out vec4 restored;
void main() {
  ivec2 at = here();
  vec3 rgb = own_rgb(at);
  int weight = int(texelFetch(described, at >> 1, 0).b);
  if (weight > 0) {
    ivec3 now = smoothed(at, at >> 1, (at - ivec2(1, 0)) >> 1, (at - ivec2(0, 1)) >> 1, (at - 1) >> 1);
    ivec3 own = to_fixed(rgb);
    ivec3 way = clamp(now - own, -16383, 16383);
    rgb = to_rgb(own + ((2 * way * weight) >> 16));
  }
  restored = vec4(rgb, 1);
}`;

export const TILES = 16; // across and down, of which noise is measured
export const TILE = 12; // rows and columns of cells in each

/** Tiles of the frame and of the one before, side by side, with what differs within each cell. */
const SAMPLE = `${HEAD}${FIXED}
uniform usampler2D frame, last;
uniform vec2 phase; // where tiles lie, from 0 to 1
out uvec4 both;
void main() {
  ivec2 tile = here() / ${TILE}, room = textureSize(frame, 0) - ${TILE};
  ivec2 cell = ivec2((vec2(tile) + phase) / ${TILES}.0 * vec2(room + 1)) + here() % ${TILE};
  uvec3 now = texelFetch(frame, cell, 0).rgb;
  int a = to_fixed(own_rgb(2 * cell)).r, b = to_fixed(own_rgb(2 * cell + ivec2(1, 0))).r;
  int c = to_fixed(own_rgb(2 * cell + ivec2(0, 1))).r, d = to_fixed(own_rgb(2 * cell + 1)).r;
  uint within = uint(abs(a - b) + abs(c - d) + abs(a - c) + abs(b - d));
  both = uvec4(now.r | texelFetch(last, cell, 0).r << 16, now.g | now.b << 16, within, 0);
}`;

/** All of them by their names. */
export const STEPS = {
  HALVE_PICTURE, HALVE, MEAN_WIDE, JUDGE_WIDE, WEIGH, LEARN, CORRECT, FINISH, SAMPLE,
};
