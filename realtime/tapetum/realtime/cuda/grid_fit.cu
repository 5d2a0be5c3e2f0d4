// Fits a bilateral grid to what a network made of a small picture: the twin of cpu/grid_fit.py and
// cpu/reduced_unet.py, in single precision. It is compiled behind kernels.cu, whose grid it fits,
// and without the kernels of that; tests run it on the host likewise.

const int REDUCED = 128, REDUCED_SIZE = REDUCED * REDUCED;

// Pixels of the small picture from one centre of a cell to the next.
const int CELL_PIXELS = REDUCED / CELLS;

// A pixel has to do with the cell before it and the one behind it: so a cell with a square of these.
const int REACH = 2 * CELL_PIXELS, SQUARE = REACH * REACH;

// BT.709, as grids are of it.
BOTH Colors full_range_709() {
    Colors colors = {};
    colors.luma_span = colors.chroma_span = 1;
    colors.kr = 0.2126f;
    colors.kb = 0.0722f;
    return colors;
}

struct Yuv {
    float y, u, v;
};

BOTH Yuv yuv_of(const Rgb &rgb, const Colors &colors) {
    const float y = luma_of(rgb, colors);
    return {y, (rgb.blue - y) / (2 * (1 - colors.kb)), (rgb.red - y) / (2 * (1 - colors.kr))};
}

BOTH Rgb unit_rgb(const Rgb &rgb) {
    return {unit_clamp(rgb.red), unit_clamp(rgb.green), unit_clamp(rgb.blue)};
}

// A small picture before and after, planes of 128x128: Y, U and V, and RGB in [-1, 1]; and the grid that
// makes it bright for the network, or null.
struct Reduced {
    float *before;
    Half *after;
    const float *light;
};

// The network's picture -------------------------------------------------------------------------

BOTH Rgb thumbnail_pixel(const float *thumbnail, int x, int y) {
    const int plane = THUMBNAIL * THUMBNAIL;
    const float *place = thumbnail + y * THUMBNAIL + x;
    return {place[0], place[plane], place[2 * plane]};
}

// A coefficient at a place of a grid.
BOTH float coefficient_at(const float *grid, int coefficient, Place level, Place row,
                          Place column) {
    float across[2];
    for (int up = 0; up < 2; ++up) {
        const float *place =
            grid + ((coefficient * LEVELS + level.cell + up) * CELLS + row.cell) * CELLS + column.cell;
        across[up] = mix(mix(place[0], place[1], column.weight),
                         mix(place[CELLS], place[CELLS + 1], column.weight), row.weight);
    }
    return mix(across[0], across[1], level.weight);
}

// A pixel of the thumbnail as a grid makes it.
BOTH Rgb lit_pixel(const Rgb &rgb, const float *grid, int x, int y, const Colors &colors) {
    const Yuv old = yuv_of(rgb, colors);
    const CellAxis axis = cell_axis(THUMBNAIL);
    const Place level = level_place(old.y), row = cell_place(y, axis), column = cell_place(x, axis);
    float c[8];
    for (int i = 0; i < 8; ++i) c[i] = coefficient_at(grid, i, level, row, column);
    const float luma = unit_clamp(c[0] * old.y + c[1]);
    const float u = clamp(c[2] * old.u + c[3] * old.v + c[6], -0.5f, 0.5f);
    const float v = clamp(c[4] * old.u + c[5] * old.v + c[7], -0.5f, 0.5f);
    return unit_rgb(rgb_from_levels(luma, u, v, colors));
}

BOTH void add_quarter(Rgb &sum, const Rgb &rgb) {
    sum.red += 0.25f * rgb.red;
    sum.green += 0.25f * rgb.green;
    sum.blue += 0.25f * rgb.blue;
}

// One thread: one pixel of the small picture, the mean of four, as it is and as the network sees it.
BOTH void reduce_pixel(int pixel, const float *thumbnail, const Reduced &out) {
    if (pixel >= REDUCED_SIZE) return;
    const Colors colors = full_range_709();
    const int x = 2 * (pixel % REDUCED), y = 2 * (pixel / REDUCED);
    Rgb dark = {}, lit = {};
    for (int i = 0; i < 4; ++i) {
        const Rgb rgb = thumbnail_pixel(thumbnail, x + i % 2, y + i / 2);
        add_quarter(dark, rgb);
        add_quarter(lit, out.light ? lit_pixel(rgb, out.light, x + i % 2, y + i / 2, colors) : rgb);
    }
    const Yuv yuv = yuv_of(dark, colors);
    out.before[pixel] = yuv.y;
    out.before[pixel + REDUCED_SIZE] = yuv.u;
    out.before[pixel + 2 * REDUCED_SIZE] = yuv.v;
    out.after[pixel] = network_half(lit.red);
    out.after[pixel + REDUCED_SIZE] = network_half(lit.green);
    out.after[pixel + 2 * REDUCED_SIZE] = network_half(lit.blue);
}

// Sums around each node -------------------------------------------------------------------------

// Of a node: its weight, and weighted Y, Y', YY, YY'; U, V, UU, UV, VV; U', V', U'U, U'V, V'U, V'V.
const int TERMS = 16;

// A pixel in reach of a cell: what is summed up, its place between levels, its weight of the cell.
struct Sample {
    Yuv before, after;
    Place level;
    float weight;
};

// What a pixel is worth to a cell of an axis.
BOTH float cell_weight(int pixel, int cell) {
    const Place place = cell_place(pixel, cell_axis(REDUCED));
    return place.cell == cell ? 1 - place.weight : place.cell + 1 == cell ? place.weight : 0;
}

// The network's number in [0, 1], and none where it is none: the mark that it has failed stays.
BOTH float unit_from_half(Half half) {
    const float value = float_from_half(half);
    return (clamp(value, -1, 1) + 1) / 2 + (value - value);
}

// One of SQUARE threads: its pixel in reach of a cell.
BOTH void take_sample(int thread, int cell, const Reduced &in, Sample &sample) {
    const Colors colors = full_range_709();
    const int row = cell / CELLS, column = cell % CELLS;
    const int x = column * CELL_PIXELS - CELL_PIXELS / 2 + thread % REACH;
    const int y = row * CELL_PIXELS - CELL_PIXELS / 2 + thread / REACH;
    sample = {};
    if (x < 0 || x >= REDUCED || y < 0 || y >= REDUCED) return;
    const int pixel = y * REDUCED + x;
    sample.before = {in.before[pixel], in.before[pixel + REDUCED_SIZE],
                     in.before[pixel + 2 * REDUCED_SIZE]};
    sample.after = yuv_of({unit_from_half(in.after[pixel]),
                           unit_from_half(in.after[pixel + REDUCED_SIZE]),
                           unit_from_half(in.after[pixel + 2 * REDUCED_SIZE])},
                          colors);
    sample.level = level_place(sample.before.y);
    sample.weight = cell_weight(x, column) * cell_weight(y, row);
}

BOTH float term_of(const Sample &sample, int term) {
    const Yuv &old = sample.before, &made = sample.after;
    switch (term) {
        case 0: return 1;
        case 1: return old.y;
        case 2: return made.y;
        case 3: return old.y * old.y;
        case 4: return old.y * made.y;
        case 5: return old.u;
        case 6: return old.v;
        case 7: return old.u * old.u;
        case 8: return old.u * old.v;
        case 9: return old.v * old.v;
        case 10: return made.u;
        case 11: return made.v;
        case 12: return made.u * old.u;
        case 13: return made.u * old.v;
        case 14: return made.v * old.u;
        default: return made.v * old.v;
    }
}

// One of LEVELS * TERMS threads: a sum around the node of a cell at a level. Sums of 16 samples keep
// what single precision would lose of a long one.
BOTH void sum_node(int thread, int cell, const Sample *samples, float *sums) {
    if (thread >= LEVELS * TERMS) return;
    const int level = thread / TERMS, term = thread % TERMS;
    float sum = 0;
    for (int row = 0; row < REACH; ++row) {
        float of_row = 0;
        for (int i = row * REACH; i < (row + 1) * REACH; ++i) {
            const Place &place = samples[i].level;
            const float share = place.cell == level       ? 1 - place.weight
                                : place.cell + 1 == level ? place.weight
                                                          : 0;
            of_row += samples[i].weight * share * term_of(samples[i], term);
        }
        sum += of_row;
    }
    sums[(level * CELL_COUNT + cell) * TERMS + term] = sum;
}

// A regression at each node ---------------------------------------------------------------------

// Weights of the mean node of a level, and of all, see grid_fit.py; and what draws slopes to those of
// the whole picture.
const float LEVEL_SHARE = 0.05f, PICTURE_SHARE = 0.001f, RIDGE = 1e-5f, HIGHEST_GAIN = 16;

// What the threads of the one block share: the mean node of each level, and of all.
struct Pooled {
    float level[LEVELS][TERMS], whole[TERMS];
};

BOTH void average_level(int thread, const float *sums, Pooled &pooled) {
    if (thread >= LEVELS * TERMS) return;
    const int level = thread / TERMS, term = thread % TERMS;
    float sum = 0;
    for (int row = 0; row < CELLS; ++row) {
        float of_row = 0;
        for (int cell = row * CELLS; cell < (row + 1) * CELLS; ++cell)
            of_row += sums[(level * CELL_COUNT + cell) * TERMS + term];
        sum += of_row;
    }
    pooled.level[level][term] = sum / CELL_COUNT;
}

BOTH void average_whole(int thread, Pooled &pooled) {
    if (thread >= TERMS) return;
    float sum = 0;
    for (int level = 0; level < LEVELS; ++level) sum += pooled.level[level][thread];
    pooled.whole[thread] = sum / LEVELS;
}

// Slope of Y' over Y, of means of Y, Y', YY and YY' from the second on, drawn to a usual one.
BOTH float slope_of(const float *mean, float usual) {
    const float spread = fmaxf(mean[3] - mean[1] * mean[1], 0) + RIDGE;
    const float slope = (mean[4] - mean[1] * mean[2] + RIDGE * usual) / spread;
    return clamp(slope, 0, HIGHEST_GAIN) + (slope - slope);
}

BOTH float slope_of_picture(const Pooled &pooled) {
    float mean[5];
    for (int i = 0; i < 5; ++i) mean[i] = pooled.whole[i] / pooled.whole[0];
    return slope_of(mean, mean[2] / fmaxf(mean[1], 1e-3f));
}

// The 2x2 matrix of chroma at a node, by rows, drawn to a gain.
BOTH void chroma_matrix(const float *mean, float usual, float matrix[4]) {
    const float u = mean[5], v = mean[6], drawn = usual * RIDGE;
    const float uu = mean[7] - u * u + RIDGE, uv = mean[8] - u * v, vv = mean[9] - v * v + RIDGE;
    const float determinant = uu * vv - uv * uv;
    for (int row = 0; row < 2; ++row) {
        const float made = mean[10 + row];
        const float by_u = mean[12 + 2 * row] - made * u + (row == 0 ? drawn : 0);
        const float by_v = mean[13 + 2 * row] - made * v + (row == 1 ? drawn : 0);
        matrix[2 * row] = (by_u * vv - by_v * uv) / determinant;
        matrix[2 * row + 1] = (by_v * uu - by_u * uv) / determinant;
    }
}

// One thread: the eight coefficients of a node.
BOTH void solve_node(int node, const float *sums, const Pooled &pooled, float *grid) {
    if (node >= NODES) return;
    float mean[TERMS], matrix[4];
    for (int i = 0; i < TERMS; ++i)
        mean[i] = sums[node * TERMS + i] + LEVEL_SHARE * pooled.level[node / CELL_COUNT][i] +
                  PICTURE_SHARE * pooled.whole[i];
    for (int i = TERMS - 1; i >= 0; --i) mean[i] /= mean[0];
    const float usual = slope_of_picture(pooled), gain = slope_of(mean, usual);
    chroma_matrix(mean, usual, matrix);
    grid[node] = gain;
    grid[NODES + node] = mean[2] - gain * mean[1];
    for (int i = 0; i < 4; ++i) grid[(2 + i) * NODES + node] = matrix[i];
    for (int row = 0; row < 2; ++row)
        grid[(6 + row) * NODES + node] =
            mean[10 + row] - matrix[2 * row] * mean[5] - matrix[2 * row + 1] * mean[6];
}

// Kernels ---------------------------------------------------------------------------------------

#ifdef __CUDACC__

extern "C" __global__ void fit_reduce(const float *thumbnail, Reduced out) {
    reduce_pixel(blockIdx.x * blockDim.x + threadIdx.x, thumbnail, out);
}

extern "C" __global__ void __launch_bounds__(SQUARE)
    fit_sum(Reduced in, float *sums) {
    __shared__ Sample samples[SQUARE];
    take_sample(threadIdx.x, blockIdx.x, in, samples[threadIdx.x]);
    __syncthreads();
    sum_node(threadIdx.x, blockIdx.x, samples, sums);
}

extern "C" __global__ void __launch_bounds__(1024) fit_solve(const float *sums, float *grid) {
    __shared__ Pooled pooled;
    average_level(threadIdx.x, sums, pooled);
    __syncthreads();
    average_whole(threadIdx.x, pooled);
    __syncthreads();
    for (int node = threadIdx.x; node < NODES; node += blockDim.x)
        solve_node(node, sums, pooled, grid);
}

#endif
