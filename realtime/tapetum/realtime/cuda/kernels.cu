// The pixel kernels of the GPU path, for pictures whose U and V are interleaved: of 8 bits (suffix _8)
// and deeper (_16), and of the chroma that CHROMA says: 420, 422 or 444. It is compiled once for each.
//
// Each does what its twin on the CPU does, in single precision: thumbnail.py, rgb_kernels.py,
// grid_luma.py and grid_chroma.py in tapetum/realtime/cpu.
// Launch geometry, argument layouts and sizes are in pixel_kernels.py and kernel_arguments.py.
//
// The file includes no header when a CUDA compiler reads it, so that NVRTC needs no toolkit. All
// but the last part is plain C++ too: tests compile it for the host, and run what each thread
// does, block by block, against the CPU path.

#ifdef __CUDACC__
#define BOTH __host__ __device__ inline
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#endif
#else
#include <cmath>
#include <cstring>
#define BOTH inline
#endif

#ifndef CHROMA
#define CHROMA 420
#endif

// Pixels that a chroma sample covers across and down, and samples of four pixels of a row.
const int ACROSS = CHROMA == 444 ? 1 : 2, DOWN = CHROMA == 420 ? 2 : 1, SAMPLES = 4 / ACROSS;

// Arguments -------------------------------------------------------------------------------------

// Luma, then U and V interleaved; pitches in bytes, sizes in pixels.
struct Picture {
    unsigned char *luma, *chroma;
    long long luma_pitch, chroma_pitch;
    int width, height;
};

// How samples become numbers, in levels after the shift in their words; whether chroma lies on
// every second pixel, and not between two, across and down, where it is subsampled; then the matrix.
struct Colors {
    int shift;
    int cosited_x, cosited_y;
    float black, luma_span, grey, chroma_span;
    float luma_low, luma_high, chroma_low, chroma_high;
    float kr, kb;
};

typedef unsigned short Half;

// Three planes of RGB in [-1, 1], without gaps; the picture's first pixel is at (left, top).
struct Tensor {
    Half *samples;
    int width, height, left, top;
};

BOTH long long plane_size(const Tensor &tensor) {
    return static_cast<long long>(tensor.width) * tensor.height;
}

// Memory ----------------------------------------------------------------------------------------

template <class T>
struct alignas(4 * sizeof(T)) Four {
    T at[4];
};

template <class T>
BOTH T *row_of(unsigned char *plane, long long pitch, int row) {
    return reinterpret_cast<T *>(plane + row * pitch);
}

template <class T>
BOTH bool is_aligned(const T *place) {
    return reinterpret_cast<unsigned long long>(place) % sizeof(Four<T>) == 0;
}

// Four samples from row[x] on, in one access where they lie so; past the end the last repeats.
template <class T>
BOTH Four<T> load(const T *row, int x, int width) {
    if (x + 4 <= width && is_aligned(row + x)) return *reinterpret_cast<const Four<T> *>(row + x);
    Four<T> four;
    for (int i = 0; i < 4; ++i) four.at[i] = row[x + i < width ? x + i : width - 1];
    return four;
}

// Store those of the four that lie within the row.
template <class T>
BOTH void store(T *row, int x, int width, const Four<T> &four) {
    if (x + 4 <= width && is_aligned(row + x)) {
        *reinterpret_cast<Four<T> *>(row + x) = four;
        return;
    }
    for (int i = 0; i < 4 && x + i < width; ++i) row[x + i] = four.at[i];
}

// Half precision without cuda_fp16.h, which NVRTC alone does not have.
BOTH Half half_from_float(float value) {
    Half bits;
#ifdef __CUDA_ARCH__
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
#else
    const _Float16 half = static_cast<_Float16>(value);
    memcpy(&bits, &half, sizeof bits);
#endif
    return bits;
}

BOTH float float_from_half(Half bits) {
#ifdef __CUDA_ARCH__
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
#else
    _Float16 half;
    memcpy(&half, &bits, sizeof half);
    return static_cast<float>(half);
#endif
}

// Colour ----------------------------------------------------------------------------------------

struct Rgb {
    float red, green, blue;
};

BOTH int chroma_width(int width) { return (width + ACROSS - 1) / ACROSS; }

BOTH int chroma_height(int height) { return (height + DOWN - 1) / DOWN; }

// Where the chroma of the pixel in column x, a multiple of four, begins in its row: U, then V.
BOTH int chroma_place(int x) { return 2 * x / ACROSS; }

BOTH float clamp(float value, float low, float high) { return fminf(fmaxf(value, low), high); }

// To [0, 1], which costs a GPU nothing.
BOTH float unit_clamp(float value) {
#ifdef __CUDA_ARCH__
    return __saturatef(value);
#else
    return clamp(value, 0, 1);
#endif
}

// RGB in [0, 1], unclipped, of luma and chroma levels.
BOTH Rgb rgb_from_levels(float luma, float u, float v, const Colors &colors) {
    const float kr = colors.kr, kb = colors.kb;
    const float y = (luma - colors.black) / colors.luma_span;
    const float red = y + 2 * (1 - kr) * ((v - colors.grey) / colors.chroma_span);
    const float blue = y + 2 * (1 - kb) * ((u - colors.grey) / colors.chroma_span);
    return {red, (y - kr * red - kb * blue) / (1 - kr - kb), blue};
}

BOTH Half network_half(float value) { return half_from_float(clamp(2 * value - 1, -1, 1)); }

// The word of a new level, clipped to the legal range widened to the old level.
BOTH int word_from_level(float level, float old, float low, float high, int shift) {
    const float clipped = fmaxf(fminf(level, fmaxf(old, high)), fminf(old, low));
    return static_cast<int>(clipped + 0.5f) << shift;
}

template <class T>
BOTH T luma_word(float level, float old, const Colors &colors) {
    return word_from_level(level, old, colors.luma_low, colors.luma_high, colors.shift);
}

template <class T>
BOTH T chroma_word(float level, float old, const Colors &colors) {
    return word_from_level(level, old, colors.chroma_low, colors.chroma_high, colors.shift);
}

// Planes to the network's input -----------------------------------------------------------------

// The sample that pads a row of `size` samples at `place`, by reflection as often as needed.
BOTH int reflected(int place, int size) {
    if (size == 1) return 0;
    const int period = 2 * size - 2;
    const int phase = (place % period + period) % period;
    return phase < period - phase ? phase : period - phase;
}

// Four pixels of a row: luma samples, and the levels of U and V that colour them.
template <class T>
struct Pixels {
    Four<T> luma;
    float u[4], v[4];
};

BOTH float half_of(int sum) { return 0.5f * static_cast<float>(sum); }

// Chroma of one pixel, in levels. `row` has `pairs` pairs of U and V.
template <class T>
BOTH void color_pixel(const T *row, int column, int pairs, const Colors &colors, float &u,
                      float &v) {
    const int left = column / ACROSS;
    const bool between = colors.cosited_x && column % 2 && left + 1 < pairs;
    const T *one = row + 2 * left, *two = between ? one + 2 : one;
    u = half_of((one[0] >> colors.shift) + (two[0] >> colors.shift));
    v = half_of((one[1] >> colors.shift) + (two[1] >> colors.shift));
}

// Chroma of the four pixels of a row from the even column x on, which lies in the picture.
template <class T>
BOTH void color_four(const T *row, int x, int pairs, const Colors &colors, Pixels<T> &four) {
    if (ACROSS == 1) {
        const Four<T> halves[2] = {load(row, 2 * x, 2 * pairs), load(row, 2 * x + 4, 2 * pairs)};
        for (int i = 0; i < 4; ++i) {
            four.u[i] = halves[i / 2].at[i % 2 * 2] >> colors.shift;
            four.v[i] = halves[i / 2].at[i % 2 * 2 + 1] >> colors.shift;
        }
        return;
    }
    const Four<T> two = load(row, x, 2 * pairs);
    const int last = x / 2 + 2 < pairs ? x / 2 + 2 : pairs - 1;
    const int u[3] = {two.at[0] >> colors.shift, two.at[2] >> colors.shift,
                      row[2 * last] >> colors.shift};
    const int v[3] = {two.at[1] >> colors.shift, two.at[3] >> colors.shift,
                      row[2 * last + 1] >> colors.shift};
    for (int i = 0; i < 4; ++i) {
        const int one = i / 2, other = one + (colors.cosited_x && i % 2);
        four.u[i] = half_of(u[one] + u[other]);
        four.v[i] = half_of(v[one] + v[other]);
    }
}

// As above; x may also be odd or outside the picture, which is continued by reflection.
template <class T>
BOTH void color_pixels(const T *row, int x, const Picture &in, const Colors &colors,
                       Pixels<T> &four) {
    const int pairs = chroma_width(in.width);
    if (x >= 0 && x + 4 <= in.width && x % 2 == 0) {
        color_four(row, x, pairs, colors, four);
        return;
    }
    for (int i = 0; i < 4; ++i)
        color_pixel(row, reflected(x + i, in.width), pairs, colors, four.u[i], four.v[i]);
}

// The chroma rows that colour the pixels of row y, each by half; mostly one row twice.
template <class T>
struct ChromaRows {
    const T *first, *second;
};

template <class T>
BOTH ChromaRows<T> chroma_rows(const Picture &in, int y, const Colors &colors) {
    const int row = y / DOWN;
    const bool between = colors.cosited_y && y % 2 && row + 1 < chroma_height(in.height);
    return {row_of<T>(in.chroma, in.chroma_pitch, row),
            row_of<T>(in.chroma, in.chroma_pitch, row + between)};
}

// The pixels of row y from column x on; x may lie outside the picture.
template <class T>
BOTH Pixels<T> load_pixels(const Picture &in, int x, int y, const Colors &colors) {
    Pixels<T> four, below;
    const T *luma = row_of<T>(in.luma, in.luma_pitch, y);
    if (x >= 0 && x + 4 <= in.width)
        four.luma = load(luma, x, in.width);
    else
        for (int i = 0; i < 4; ++i) four.luma.at[i] = luma[reflected(x + i, in.width)];
    const ChromaRows<T> rows = chroma_rows<T>(in, y, colors);
    color_pixels(rows.first, x, in, colors, four);
    if (rows.second == rows.first) return four;
    color_pixels(rows.second, x, in, colors, below);
    for (int i = 0; i < 4; ++i) {
        four.u[i] = 0.5f * (four.u[i] + below.u[i]);
        four.v[i] = 0.5f * (four.v[i] + below.v[i]);
    }
    return four;
}

// RGB of pixel i of four.
template <class T>
BOTH Rgb rgb_of(const Pixels<T> &four, int i, const Colors &colors) {
    return rgb_from_levels(four.luma.at[i] >> colors.shift, four.u[i], four.v[i], colors);
}

// RGB of the pixel at (x, y), which lies in the picture.
template <class T>
BOTH Rgb rgb_at(const Picture &in, int x, int y, const Colors &colors) {
    const ChromaRows<T> rows = chroma_rows<T>(in, y, colors);
    float u[2], v[2];
    color_pixel(rows.first, x, chroma_width(in.width), colors, u[0], v[0]);
    color_pixel(rows.second, x, chroma_width(in.width), colors, u[1], v[1]);
    const T luma = row_of<T>(in.luma, in.luma_pitch, y)[x];
    return rgb_from_levels(luma >> colors.shift, 0.5f * (u[0] + u[1]), 0.5f * (v[0] + v[1]),
                           colors);
}

// One thread: four samples, from column 4 * quad on, of a row of the tensor, padding too.
template <class T>
BOTH void planes_to_rgb(int quad, int row, const Picture &in, const Colors &colors,
                        const Tensor &out) {
    const int x = 4 * quad;
    if (x >= out.width) return;
    const Pixels<T> four =
        load_pixels<T>(in, x - out.left, reflected(row - out.top, in.height), colors);
    Four<Half> red, green, blue;
    for (int i = 0; i < 4; ++i) {
        const Rgb rgb = rgb_of(four, i, colors);
        red.at[i] = network_half(rgb.red);
        green.at[i] = network_half(rgb.green);
        blue.at[i] = network_half(rgb.blue);
    }
    const long long plane = plane_size(out);
    Half *line = out.samples + static_cast<long long>(row) * out.width;
    store(line, x, out.width, red);
    store(line + plane, x, out.width, green);
    store(line + 2 * plane, x, out.width, blue);
}

// The network's output back to planes, as a change ----------------------------------------------

BOTH bool is_finite(float value) { return fabsf(value) < INFINITY; }

// What a network changes in a channel; `before` is what it was given, rounded as it was.
BOTH float network_change(float before, Half after, float *fault) {
    const float value = float_from_half(after);
    if (!is_finite(value)) *fault = 1;
    return clamp(value, -1, 1) - float_from_half(network_half(before));
}

// A share of what a network changes in a channel; or more than it, of the room that it leaves.
BOTH float strong_change(float before, Half after, float strength, float *fault) {
    const float change = network_change(before, after, fault);
    if (strength <= 1) return strength * change;
    const float limit = change > 0 ? 1 : -1, whole = limit - float_from_half(network_half(before));
    const float room = whole == 0 ? 0 : (whole - change) / whole;
    return (1 + (strength - 1) * room) * change;
}

BOTH Rgb pixel_change(const Rgb &before, Half red, Half green, Half blue, float strength,
                      float *fault) {
    return {strong_change(before.red, red, strength, fault),
            strong_change(before.green, green, strength, fault),
            strong_change(before.blue, blue, strength, fault)};
}

// Changes of pixels, weighted by how much of their colour comes from one chroma sample.
struct WeightedSum {
    Rgb change;
    float weight;
};

BOTH void add(WeightedSum &sum, const Rgb &change, float weight) {
    sum.change.red += weight * change.red;
    sum.change.green += weight * change.green;
    sum.change.blue += weight * change.blue;
    sum.weight += weight;
}

// The network's output and the share of it that counts.
struct Output {
    Tensor result;
    float strength;
    float *fault;
};

// Red of the picture's row y; green and blue are one and two planes further.
BOTH const Half *line_of(const Tensor &result, int y) {
    return result.samples + static_cast<long long>(y + result.top) * result.width + result.left;
}

// The changes of the pixels of row y from column x on.
template <class T>
BOTH void changes_of_four(const Pixels<T> &four, int x, int y, const Colors &colors,
                          const Output &output, Rgb changes[4]) {
    const Half *line = line_of(output.result, y);
    const long long plane = plane_size(output.result);
    const int width = output.result.width - output.result.left;
    const Four<Half> red = load(line, x, width);
    const Four<Half> green = load(line + plane, x, width);
    const Four<Half> blue = load(line + 2 * plane, x, width);
    for (int i = 0; i < 4; ++i)
        changes[i] = pixel_change(rgb_of(four, i, colors), red.at[i], green.at[i], blue.at[i],
                                  output.strength, output.fault);
}

// The change of the pixel at (x, y).
template <class T>
BOTH Rgb change_at(const Picture &in, int x, int y, const Colors &colors, const Output &output) {
    const Half *place = line_of(output.result, y) + x;
    const long long plane = plane_size(output.result);
    return pixel_change(rgb_at<T>(in, x, y, colors), place[0], place[plane], place[2 * plane],
                        output.strength, output.fault);
}

BOTH float luma_of(const Rgb &rgb, const Colors &colors) {
    return colors.kr * rgb.red + (1 - colors.kr - colors.kb) * rgb.green + colors.kb * rgb.blue;
}

// Store a row of luma with the changes of up to four of its pixels.
template <class T>
BOTH void store_luma(const Four<T> &luma, int x, int y, const Colors &colors,
                     const Rgb changes[4], const Picture &out) {
    Four<T> enhanced;
    for (int i = 0; i < 4; ++i) {
        const float old = luma.at[i] >> colors.shift;
        // RGB in [-1, 1] is twice as wide as Y in [0, 1].
        const float change = luma_of(changes[i], colors) * (colors.luma_span / 2);
        enhanced.at[i] = luma_word<T>(old + change, old, colors);
    }
    store(row_of<T>(out.luma, out.luma_pitch, y), x, out.width, enhanced);
}

// Add the changes of the pixels of a row, those from column x on and, where chroma lies on
// pixels, the one before, to the sums of the chroma samples that they cover.
template <class T>
BOTH void sum_changes(const Rgb changes[4], int x, int y, const Picture &in, const Colors &colors,
                      const Output &output, float row_weight, WeightedSum sums[SAMPLES]) {
    const float beside = colors.cosited_x ? 0.5f * row_weight : row_weight;
    for (int i = 0; i < 4 && x + i < in.width; ++i)
        add(sums[i / ACROSS], changes[i], i % 2 ? beside : row_weight);
    if (!colors.cosited_x) return;
    if (x > 0) add(sums[0], change_at<T>(in, x - 1, y, colors, output), beside);
    if (x + 1 < in.width) add(sums[1], changes[1], beside);
}

template <class T>
BOTH void store_chroma(int x, int chroma_row, const Picture &in, const Colors &colors,
                       const WeightedSum *sums, const Picture &out) {
    const int words = 2 * chroma_width(in.width);
    const Four<T> old = load(row_of<T>(in.chroma, in.chroma_pitch, chroma_row), x, words);
    Four<T> enhanced = old;
    for (int i = 0; i < 2 && x + 2 * i < words; ++i) {
        const Rgb &sum = sums[i].change;
        const float y_sum = luma_of(sum, colors);
        const float mean = colors.chroma_span / 2 / sums[i].weight;
        const float old_u = old.at[2 * i] >> colors.shift;
        const float old_v = old.at[2 * i + 1] >> colors.shift;
        const float du = (sum.blue - y_sum) / (2 * (1 - colors.kb)) * mean;
        const float dv = (sum.red - y_sum) / (2 * (1 - colors.kr)) * mean;
        enhanced.at[2 * i] = chroma_word<T>(old_u + du, old_u, colors);
        enhanced.at[2 * i + 1] = chroma_word<T>(old_v + dv, old_v, colors);
    }
    store(row_of<T>(out.chroma, out.chroma_pitch, chroma_row), x, words, enhanced);
}

// One thread: four pixels of each row that a row of chroma covers, and their chroma samples, which
// where chroma lies on pixels get the changes of the row above and the column before too. `fault` becomes 1 where the
// network gave no finite number.
template <class T>
BOTH void change_to_planes(int quad, int chroma_row, const Picture &in, const Colors &colors,
                           const Tensor &result, float strength, const Picture &out,
                           float *fault) {
    const int x = 4 * quad, top = DOWN * chroma_row;
    if (x >= in.width) return;
    const Output output = {result, strength, fault};
    WeightedSum sums[SAMPLES] = {};
    const int first = colors.cosited_y && top > 0 ? top - 1 : top;
    for (int y = first; y < top + DOWN && y < in.height; ++y) {
        const Pixels<T> four = load_pixels<T>(in, x, y, colors);
        Rgb changes[4];
        changes_of_four(four, x, y, colors, output, changes);
        const float row_weight = colors.cosited_y && y != top ? 0.5f : 1;
        sum_changes<T>(changes, x, y, in, colors, output, row_weight, sums);
        if (y >= top) store_luma(four.luma, x, y, colors, changes, out);
    }
    for (int i = 0; i < SAMPLES; i += 2)
        store_chroma<T>(chroma_place(x) + 2 * i, chroma_row, in, colors, sums + i, out);
}

// Bilateral grid --------------------------------------------------------------------------------

const int CELLS = 16, LEVELS = 8;
const int CELL_COUNT = CELLS * CELLS, NODES = LEVELS * CELL_COUNT;

// Between a column and the next there are 15 places: at each level as many entries of a table, an odd
// number, so that neighbouring levels lie in other banks of shared memory.
const int STEPS = CELLS - 1, ENTRIES = LEVELS * STEPS;

// Two numbers at a column, and the way of both to those at the next.
typedef Four<float> Entry;

// The grid between two rows of its cells, for a row of chroma and its rows of luma: gain and offset;
// and m_uu and m_uv, m_vu and m_vv, c_u and c_v.
struct GridRow {
    Entry luma[DOWN][ENTRIES];
    Entry chroma[3][ENTRIES];
};

// Between centre `cell` and the next, of which `weight` is the share.
struct Place {
    int cell;
    float weight;
};

// Sums with this number have nothing but a whole number in their lowest bits: the conversions of CUDA
// take four times as long, or more.
const float WHOLE = 12582912;
const int WHOLE_BITS = 0x4B400000;

BOTH int bits_of(float value) {
#ifdef __CUDA_ARCH__
    return __float_as_int(value);
#else
    int bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
#endif
}

BOTH float float_of(int bits) {
#ifdef __CUDA_ARCH__
    return __int_as_float(bits);
#else
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
#endif
}

// The nearest whole number; of two, the even one.
BOTH int rounded(float value) { return bits_of(value + WHOLE) - WHOLE_BITS; }

// A whole number from 0 to 2^22 as float.
BOTH float small_float(int value) { return float_of(WHOLE_BITS + value) - WHOLE; }

BOTH Place place_on(float position, int count) {
    const float inside = clamp(position, 0, static_cast<float>(count - 1));
    const float sum = inside - 0.5f + WHOLE;  // of the last centre too it is the one before
    return {bits_of(sum) - WHOLE_BITS, inside - (sum - WHOLE)};
}

// Where the samples of an axis lie on the columns or rows of cells.
struct CellAxis {
    float start, step;
};

BOTH CellAxis cell_axis(int size) {
    const float step = static_cast<float>(CELLS) / static_cast<float>(size);
    return {0.5f * step - 0.5f, step};
}

BOTH Place cell_place(int sample, const CellAxis &axis) {
    return place_on(axis.start + axis.step * static_cast<float>(sample), CELLS);
}

// The guide is the square root of luma, which spreads the dark levels.
BOTH Place level_place(float y) {
    return place_on(sqrtf(unit_clamp(y)) * LEVELS - 0.5f, LEVELS);
}

BOTH float mix(float first, float second, float weight) {
    return first + weight * (second - first);
}

// A coefficient between two rows of cells.
BOTH float row_coefficient(const float *grid, int coefficient, int level, int column, Place row) {
    const float *place =
        grid + ((coefficient * LEVELS + level) * CELLS + row.cell) * CELLS + column;
    return mix(place[0], place[CELLS], row.weight);
}

// One of `threads` threads: its share of the table for a row of chroma.
BOTH void interpolate_rows(int thread, int threads, const float *grid, int chroma_row,
                           const Picture &in, GridRow &table) {
    const CellAxis luma_rows = cell_axis(in.height);
    const CellAxis rows_of_chroma = cell_axis(chroma_height(in.height));
    for (int item = thread; item < (DOWN + 3) * ENTRIES; item += threads) {
        const int pair = item / ENTRIES - DOWN, entry = item % ENTRIES;
        const Place row = pair < 0 ? cell_place(DOWN * chroma_row + pair + DOWN, luma_rows)
                                   : cell_place(chroma_row, rows_of_chroma);
        const int first = pair < 0 ? 0 : 2 + 2 * pair;
        Entry &to = pair < 0 ? table.luma[pair + DOWN][entry] : table.chroma[pair][entry];
        const int level = entry / STEPS, column = entry % STEPS;
        for (int c = 0; c < 2; ++c) {
            const float here = row_coefficient(grid, first + c, level, column, row);
            const float next = row_coefficient(grid, first + c, level, column + 1, row);
            to.at[c] = here;
            to.at[c + 2] = next - here;
        }
    }
}

// Both numbers of a table at a place: between its levels and columns.
struct Two {
    float first, second;
};

BOTH Two slice(const Entry *table, const Place &level, const Place &column) {
    const Entry *place = table + level.cell * STEPS + column.cell;
    const Entry below = place[0], above = place[STEPS];
    const float across = column.weight;
    return {mix(below.at[0] + across * below.at[2], above.at[0] + across * above.at[2],
                level.weight),
            mix(below.at[1] + across * below.at[3], above.at[1] + across * above.at[3],
                level.weight)};
}

// Levels to Y and back, with one multiplication.
struct Luma {
    float scale, origin;
};

// How the samples that are read become levels: shifted down, and of the step that a fraction leaves.
struct Reading {
    int shift, fraction_bits;
    float step;
};

BOTH Luma luma_scale(const Colors &colors, const Reading &reading) {
    return {reading.step / colors.luma_span, -colors.black / colors.luma_span};
}

// Of a sample, in steps.
template <class T>
BOTH int level_of(T word, const Reading &reading) {
    return sizeof(T) == 1 ? word : word >> reading.shift;
}

// The whole level below, to which the legal range is widened.
BOTH float whole_level(int steps, const Reading &reading) {
    return small_float(steps >> reading.fraction_bits);
}

// The word of a new level, clipped to the legal range widened to the old level.
template <class T>
BOTH T clipped_word(float level, float old, float low, float high, const Colors &colors) {
    const int whole = rounded(fmaxf(fminf(level, fmaxf(old, high)), fminf(old, low)));
    return static_cast<T>(sizeof(T) == 1 ? whole : whole << colors.shift);
}

template <class S, class T>
BOTH void enhance_luma(int x, int width, const Four<S> &old, const Reading &reading,
                       const Colors &colors, const Luma &luma, const Place columns[4],
                       const Entry *table, T *out) {
    Four<T> enhanced;
    for (int i = 0; i < 4; ++i) {
        const int steps = level_of(old.at[i], reading);
        const float y = small_float(steps) * luma.scale + luma.origin;
        const Two curve = slice(table, level_place(y), columns[i]);
        const float bright = (curve.first * y + curve.second) * colors.luma_span + colors.black;
        enhanced.at[i] = clipped_word<T>(bright, whole_level(steps, reading), colors.luma_low,
                                         colors.luma_high, colors);
    }
    store(out, x, width, enhanced);
}

// Transform one pair, U and V, that covers luma levels whose sum is `four_levels`.
template <class S, class T>
BOTH void enhance_chroma(const S *old, int four_levels, const Place &column,
                         const Reading &reading, const Colors &colors, const Luma &luma,
                         const GridRow &table, T *enhanced) {
    const float y = small_float(four_levels) * (0.25f * luma.scale) + luma.origin;
    const Place level = level_place(y);
    const Two to_u = slice(table.chroma[0], level, column);
    const Two to_v = slice(table.chroma[1], level, column);
    const Two added = slice(table.chroma[2], level, column);
    const int steps_u = level_of(old[0], reading), steps_v = level_of(old[1], reading);
    const float u = small_float(steps_u) * reading.step - colors.grey;
    const float v = small_float(steps_v) * reading.step - colors.grey, span = colors.chroma_span;
    const float new_u = to_u.first * u + to_u.second * v + added.first * span + colors.grey;
    const float new_v = to_v.first * u + to_v.second * v + added.second * span + colors.grey;
    const float old_u = whole_level(steps_u, reading), old_v = whole_level(steps_v, reading);
    enhanced[0] = clipped_word<T>(new_u, old_u, colors.chroma_low, colors.chroma_high, colors);
    enhanced[1] = clipped_word<T>(new_v, old_v, colors.chroma_low, colors.chroma_high, colors);
}

// Four luma levels under the chroma sample `i` of four columns, or one as often as there are fewer:
// a lone last row or column too.
template <class T>
BOTH int covered_levels(const Four<T> &above, const Four<T> &below, int i,
                        const Reading &reading) {
    const int left = ACROSS * i, right = left + ACROSS - 1;
    return level_of(above.at[left], reading) + level_of(above.at[right], reading) +
           level_of(below.at[left], reading) + level_of(below.at[right], reading);
}

// The chroma samples of four pixels from column x on.
template <class S, class T>
BOTH void apply_to_chroma(int x, int chroma_row, const Four<S> &above, const Four<S> &below,
                          const Picture &in, const Reading &reading, const Colors &colors,
                          const Luma &luma, const CellAxis &axis, const GridRow &table,
                          const Picture &out) {
    const int words = 2 * chroma_width(in.width);
    for (int first = 0; first < SAMPLES; first += 2) {
        const int place = chroma_place(x) + 2 * first;
        const Four<S> old = load(row_of<S>(in.chroma, in.chroma_pitch, chroma_row), place, words);
        Four<T> enhanced;
        for (int i = 0; i < 2; ++i)
            enhance_chroma(old.at + 2 * i, covered_levels(above, below, first + i, reading),
                           cell_place(place / 2 + i, axis), reading, colors, luma, table,
                           enhanced.at + 2 * i);
        store(row_of<T>(out.chroma, out.chroma_pitch, chroma_row), place, words, enhanced);
    }
}

// One of `threads` threads: four pixels of each row that a row of chroma covers, and their chroma.
// S is how samples are read, T how they are written.
template <class S, class T>
BOTH void apply_row(int thread, int threads, int chroma_row, const Picture &in,
                    const Reading &reading, const Colors &colors, const GridRow &table,
                    const Picture &out) {
    const int width = in.width, y = DOWN * chroma_row;
    const int below_y = DOWN == 2 && y + 1 < in.height ? y + 1 : y;
    const Luma luma = luma_scale(colors, reading);
    const CellAxis axis = cell_axis(width), chroma_axis = cell_axis(chroma_width(width));
    for (int x = 4 * thread; x < width; x += 4 * threads) {
        const Four<S> above = load(row_of<S>(in.luma, in.luma_pitch, y), x, width);
        const Four<S> below = load(row_of<S>(in.luma, in.luma_pitch, below_y), x, width);
        apply_to_chroma<S, T>(x, chroma_row, above, below, in, reading, colors, luma, chroma_axis,
                              table, out);
        Place columns[4];
        for (int i = 0; i < 4; ++i) columns[i] = cell_place(x + i, axis);
        enhance_luma(x, width, above, reading, colors, luma, columns, table.luma[0],
                     row_of<T>(out.luma, out.luma_pitch, y));
        if (below_y > y)
            enhance_luma(x, width, below, reading, colors, luma, columns, table.luma[DOWN - 1],
                         row_of<T>(out.luma, out.luma_pitch, below_y));
    }
}

// The same, of samples without a fraction.
template <class T>
BOTH void apply_row(int thread, int threads, int chroma_row, const Picture &in,
                    const Colors &colors, const GridRow &table, const Picture &out) {
    apply_row<T, T>(thread, threads, chroma_row, in, Reading{colors.shift, 0, 1}, colors, table,
                    out);
}

// Thumbnail -------------------------------------------------------------------------------------

const int THUMBNAIL = 256, BLOCK_BINS = 32;

// Bin i of n samples: floor(i * n / 256) up to ceil((i + 1) * n / 256).
BOTH int bin_start(int bin, int size) { return static_cast<long long>(bin) * size / THUMBNAIL; }

BOTH int bin_end(int bin, int size) {
    return static_cast<int>((static_cast<long long>(bin + 1) * size + THUMBNAIL - 1) / THUMBNAIL);
}

// First sample, a multiple of four, that a block sums up of rows with `step` samples a column.
BOTH int block_start(int block, int size, int step) {
    return bin_start(block * BLOCK_BINS, size) * step & ~3;
}

// Where in a block's memory the sums of chroma begin.
BOTH int chroma_sums(int width) { return (width / 8 + 12) & ~3; }

// One of `threads` threads: sums over the rows of a bin, four columns at a time.
template <class T>
BOTH void sum_columns(int thread, int threads, unsigned char *plane, long long pitch, int block,
                      int bin_row, int width, int height, int step, unsigned *sums) {
    const int start = block_start(block, width, step);
    const int end = bin_end(block * BLOCK_BINS + BLOCK_BINS - 1, width) * step;
    const int first = bin_start(bin_row, height), past = bin_end(bin_row, height);
    for (int x = start + 4 * thread; x < end; x += 4 * threads) {
        unsigned columns[4] = {};
        for (int row = first; row < past; ++row) {
            const Four<T> four = load(row_of<T>(plane, pitch, row), x, width * step);
            for (int i = 0; i < 4; ++i) columns[i] += four.at[i];
        }
        for (int i = 0; i < 4; ++i) sums[x - start + i] = columns[i];
    }
}

// The mean level of a bin: of every `step`-th column sum, from `offset` on.
BOTH float bin_mean(const unsigned *sums, int block, int bin, int bin_row, int width, int height,
                    int step, int offset, int shift) {
    const int column = block * BLOCK_BINS + bin, start = block_start(block, width, step);
    const int left = bin_start(column, width), right = bin_end(column, width);
    unsigned long long total = 0;
    for (int x = left; x < right; ++x) total += sums[x * step + offset - start];
    const int rows = bin_end(bin_row, height) - bin_start(bin_row, height);
    return static_cast<float>(total) / static_cast<float>((right - left) * rows << shift);
}

template <class T>
BOTH void sum_bins(int thread, int threads, int block, int bin_row, const Picture &in,
                   unsigned *sums) {
    sum_columns<T>(thread, threads, in.luma, in.luma_pitch, block, bin_row, in.width, in.height, 1,
                   sums);
    sum_columns<T>(thread, threads, in.chroma, in.chroma_pitch, block, bin_row,
                   chroma_width(in.width), chroma_height(in.height), 2,
                   sums + chroma_sums(in.width));
}

// One thread: one pixel of the thumbnail, (3, 256, 256) RGB in [0, 1].
BOTH void write_thumbnail(int bin, int block, int bin_row, const Picture &in, const Colors &colors,
                          const unsigned *sums, float *out) {
    if (bin >= BLOCK_BINS) return;
    const unsigned *chroma = sums + chroma_sums(in.width);
    const int width = chroma_width(in.width), height = chroma_height(in.height);
    const int shift = colors.shift;
    const float luma = bin_mean(sums, block, bin, bin_row, in.width, in.height, 1, 0, shift);
    const float u = bin_mean(chroma, block, bin, bin_row, width, height, 2, 0, shift);
    const float v = bin_mean(chroma, block, bin, bin_row, width, height, 2, 1, shift);
    const Rgb rgb = rgb_from_levels(luma, u, v, colors);
    float *place = out + bin_row * THUMBNAIL + block * BLOCK_BINS + bin;
    place[0] = clamp(rgb.red, 0, 1);
    place[THUMBNAIL * THUMBNAIL] = clamp(rgb.green, 0, 1);
    place[2 * THUMBNAIL * THUMBNAIL] = clamp(rgb.blue, 0, 1);
}

// Kernels ---------------------------------------------------------------------------------------

// Files that are compiled behind this one have kernels of their own.
#if defined(__CUDACC__) && !defined(WITHOUT_KERNELS)

#define JOINED(NAME, OF, BITS) NAME##_##OF##_##BITS
#define NAMED(NAME, OF, BITS) JOINED(NAME, OF, BITS)

#define KERNELS(T, BITS)                                                                           \
    extern "C" __global__ void NAMED(planes_to_rgb, CHROMA, BITS)(Picture in, Colors colors, Tensor out) {       \
        planes_to_rgb<T>(blockIdx.x * blockDim.x + threadIdx.x, blockIdx.y, in, colors, out);      \
    }                                                                                              \
    extern "C" __global__ void NAMED(change_to_planes, CHROMA, BITS)(Picture in, Colors colors, Tensor result,   \
                                                       float strength, Picture out,                \
                                                       float *fault) {                             \
        change_to_planes<T>(blockIdx.x * blockDim.x + threadIdx.x, blockIdx.y, in, colors, result, \
                            strength, out, fault);                                                 \
    }                                                                                              \
    extern "C" __global__ void __launch_bounds__(256, 5) NAMED(apply_grid, CHROMA, BITS)(Picture in, Colors colors, const float *grid,     \
                                                 Picture out) {                                    \
        __shared__ GridRow table;                                                                  \
        interpolate_rows(threadIdx.x, blockDim.x, grid, blockIdx.x, in, table);                    \
        __syncthreads();                                                                           \
        apply_row<T>(threadIdx.x, blockDim.x, blockIdx.x, in, colors, table, out);                 \
    }                                                                                              \
    extern "C" __global__ void NAMED(thumbnail, CHROMA, BITS)(Picture in, Colors colors, float *out) {           \
        extern __shared__ unsigned sums[];                                                         \
        sum_bins<T>(threadIdx.x, blockDim.x, blockIdx.x, blockIdx.y, in, sums);                    \
        __syncthreads();                                                                           \
        write_thumbnail(threadIdx.x, blockIdx.x, blockIdx.y, in, colors, sums, out);               \
    }

KERNELS(unsigned char, 8)
KERNELS(unsigned short, 16)

#endif
