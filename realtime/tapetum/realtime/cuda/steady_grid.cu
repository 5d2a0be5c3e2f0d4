// The grid of a frame, from what the network gave: as much of it as the picture needs, or as its
// brightness takes; smoothed over time; and as strong as is wanted. It is read after kernels.cu, by the
// same compilers.
//
// Each does what its twin on the CPU does, in single precision: exposure.py, temporal.py and
// cpu/grid_strength.py in tapetum/realtime.

// How dark it is, and where ---------------------------------------------------------------------

// What the threads of the one block share: luma of the cells, the same sorted, and steps on the way
// to the share of the effect that each needs; see exposure.py, whose numbers these are.
struct Darkness {
    float luma[CELL_COUNT], ranked[CELL_COUNT], dark[CELL_COUNT], large[CELL_COUNT],
        grown[CELL_COUNT], share[CELL_COUNT];
};

// 1 up to `whole`, 0 from `none` on, and a smooth step between.
BOTH float fading(float value, float whole, float none) {
    const float place = clamp((none - value) / (none - whole), 0, 1);
    return place * place * (3 - 2 * place);
}

BOTH float cell_luma(int cell, const float *thumbnail) {
    const int side = THUMBNAIL / CELLS, plane = THUMBNAIL * THUMBNAIL;
    const float *corner = thumbnail + (cell / CELLS * THUMBNAIL + cell % CELLS) * side;
    float sum = 0;
    for (int i = 0; i < side * side; ++i) {
        const float *pixel = corner + i / side * THUMBNAIL + i % side;
        sum += 0.2126f * pixel[0] + 0.7152f * pixel[plane] + 0.0722f * pixel[2 * plane];
    }
    return sum / (side * side);
}

BOTH void look_at_cell(int cell, const float *thumbnail, Darkness &cells) {
    if (cell < CELL_COUNT) cells.luma[cell] = cell_luma(cell, thumbnail);
}

BOTH void rank_cell(int cell, Darkness &cells) {
    if (cell >= CELL_COUNT) return;
    int rank = 0;
    for (int i = 0; i < CELL_COUNT; ++i)
        rank += cells.luma[i] < cells.luma[cell] || (cells.luma[i] == cells.luma[cell] && i < cell);
    cells.ranked[rank] = cells.luma[cell];
}

BOTH float quantile(const float *ranked, float share) {
    const float place = share * (CELL_COUNT - 1);
    const int below = static_cast<int>(place);
    return ranked[below] + (place - below) * (ranked[below + 1] - ranked[below]);
}

// Luma from which a cell is no shadow.
BOTH float shadow_luma(const Darkness &cells) {
    return 0.10f + 0.05f * (1 - fading(quantile(cells.ranked, 0.75f), 0.35f, 0.75f));
}

BOTH void darken_cell(int cell, Darkness &cells) {
    if (cell >= CELL_COUNT) return;
    const float shadow = shadow_luma(cells);
    cells.dark[cell] = fading(cells.luma[cell], shadow, 1.15f * shadow);
}

// Sum, most and number of the cells in a square window around one, as far as there are any.
struct Around {
    float sum, most;
    int count;
};

BOTH Around around(const float *cells, int cell, int reach) {
    const int row = cell / CELLS, column = cell % CELLS;
    Around found = {};
    for (int y = row - reach; y <= row + reach; ++y)
        for (int x = column - reach; x <= column + reach; ++x) {
            if (y < 0 || y >= CELLS || x < 0 || x >= CELLS) continue;
            const float value = cells[y * CELLS + x];
            found.sum += value;
            found.most = fmaxf(found.most, value);
            ++found.count;
        }
    return found;
}

BOTH void find_large(int cell, Darkness &cells) {
    if (cell >= CELL_COUNT) return;
    const float place = around(cells.dark, cell, 2).sum / 25;
    const float black = fading(cells.luma[cell], 0.05f, shadow_luma(cells));
    cells.large[cell] = 0.8f * black * (1 - fading(place, 0.5f, 0.95f));
}

BOTH void grow_cell(int cell, Darkness &cells) {
    if (cell < CELL_COUNT) cells.grown[cell] = around(cells.large, cell, 1).most;
}

BOTH void share_cell(int cell, Darkness &cells) {
    if (cell >= CELL_COUNT) return;
    float light = 0;
    for (int i = 0; i < CELL_COUNT; ++i) light += fminf(cells.luma[i], 0.5f) / CELL_COUNT;
    const float dim = fading(quantile(cells.ranked, 0.9f), 0.27f, 0.42f);
    const float whole = fmaxf(fading(light, 0.15f, 0.25f), dim * fading(light, 0.25f, 0.36f));
    const Around near = around(cells.grown, cell, 1);
    cells.share[cell] = fmaxf(near.sum / near.count, whole);
}

// Strength and brightness -----------------------------------------------------------------------

// The coefficients of a node: gain and offset, the matrix by rows, and its offsets.
struct Node {
    float at[8];
};

BOTH float toward(float old, float value, float share) {
    return share == 1 ? value : old + share * (value - old);
}

// A share of what a coefficient does.
BOTH float weakened(float value, int coefficient, float share) {
    const float same = coefficient == 0 || coefficient == 2 || coefficient == 5 ? 1 : 0;
    return toward(same, value, share);
}

const float DARKEST = 1e-4f;

// What a node's coefficients are multiplied by, for a strength over 1.
BOTH float strengthening(float gain, float offset, int level, float strength) {
    const float root = (level + 0.5f) / LEVELS, luma = root * root;
    const float made = clamp(gain * luma + offset, 0, 1), change = made - luma;
    const float room = change > 0 ? (1 - made) / (1 - luma) : made / luma;
    const float factor = (made + (strength - 1) * change * room) / fmaxf(made, DARKEST);
    if (level < LEVELS - 1) return factor;
    return fminf(factor, fmaxf(1, 1 / fmaxf(gain + offset, DARKEST)));
}

BOTH void strengthen(Node &node, int level, float strength) {
    const float factor =
        strength > 1 ? strengthening(node.at[0], node.at[1], level, strength) : 1;
    for (int i = 0; i < 8; ++i)
        node.at[i] = strength > 1 ? factor * node.at[i] : weakened(node.at[i], i, strength);
}

// Strengths that are tried for a brightness, from 0 to 2, and what they make of each cell's luma.
const int TRIED = 17, TRIED_PARTS = 16;

struct Trials {
    float made[TRIED][CELL_COUNT], partial[TRIED][TRIED_PARTS], mean[TRIED], strength;
};

BOTH float tried_strength(int trial) { return trial / 8.0f; }

// What a strength makes of a cell's luma.
BOTH float tried_luma(const float *grid, int cell, float luma, float strength) {
    const Place place = level_place(luma);
    float gain[2], offset[2];
    for (int up = 0; up < 2; ++up) {
        const int level = place.cell + up;
        const float *node = grid + level * CELL_COUNT + cell;
        const float factor = strength > 1 ? strengthening(node[0], node[NODES], level, strength) : 1;
        gain[up] = strength > 1 ? factor * node[0] : weakened(node[0], 0, strength);
        offset[up] = strength > 1 ? factor * node[NODES] : weakened(node[NODES], 1, strength);
    }
    return unit_clamp(mix(gain[0], gain[1], place.weight) * luma +
                      mix(offset[0], offset[1], place.weight));
}

// One of `threads` threads: its share of all trials.
BOTH void try_strengths(int thread, int threads, const float *grid, const Darkness &cells,
                        Trials &trials) {
    for (int i = thread; i < TRIED * CELL_COUNT; i += threads) {
        const int trial = i / CELL_COUNT, cell = i % CELL_COUNT;
        trials.made[trial][cell] =
            tried_luma(grid, cell, cells.luma[cell], tried_strength(trial));
    }
}

BOTH void sum_trials(int thread, Trials &trials) {
    const int trial = thread / TRIED_PARTS, part = thread % TRIED_PARTS;
    if (trial >= TRIED) return;
    float sum = 0;
    for (int i = part; i < CELL_COUNT; i += TRIED_PARTS) sum += trials.made[trial][i];
    trials.partial[trial][part] = sum;
}

BOTH void average_trials(int thread, Trials &trials) {
    if (thread >= TRIED) return;
    float sum = 0;
    for (int i = 0; i < TRIED_PARTS; ++i) sum += trials.partial[thread][i];
    trials.mean[thread] = sum / CELL_COUNT;
}

// One thread of all: between the last trial up to which none is too bright and the next.
BOTH void choose_strength(int thread, float brightness, Trials &trials) {
    if (thread > 0) return;
    float last = trials.mean[0];
    trials.strength = last > brightness ? 0 : 2;
    for (int i = 1; i < TRIED && last <= brightness; ++i) {
        const float next = fmaxf(trials.mean[i], last);
        if (next > brightness)
            trials.strength = tried_strength(i - 1) + (brightness - last) / (next - last) / 8;
        last = next;
    }
}

// Smoothing over time ---------------------------------------------------------------------------

const int VIEW = 32, VIEW_SIZE = VIEW * VIEW, SUMS = 7;

// Thresholds and times of temporal.py; `restart` for a frame that has no past; `when_dark` to leave
// what is well lit as it is, or over 0 the brightness that is wanted; and the strength after all that.
struct Smoothing {
    float elapsed_s, time_constant_s, cut_change, cut_correlation, quick_change;
    int restart, when_dark;
    float brightness, strength;
};

// What one frame leaves to the next: the smoothed grid and scene, and the last frame's view. It is written
// to a twin, so that a frame's work may be done several times.
struct Past {
    float *grid, *scene, *view;
};

// What the threads of the one block share.
struct Views {
    float now[VIEW_SIZE];
    float partial[SUMS][VIEW], mean[SUMS];
};

// The guide, square root of the mean of a square of the thumbnail and of its channels.
BOTH void view_pixel(int thread, const float *thumbnail, Views &views) {
    const int side = THUMBNAIL / VIEW;
    const float *corner = thumbnail + (thread / VIEW * THUMBNAIL + thread % VIEW) * side;
    float sum = 0;
    for (int channel = 0; channel < 3; ++channel)
        for (int i = 0; i < side * side; ++i)
            sum += corner[(channel * THUMBNAIL + i / side) * THUMBNAIL + i % side];
    views.now[thread] = sqrtf(fmaxf(sum / (3 * side * side), 0));
}

// What is averaged over a view: of the last one and this, means, squares, product, differences.
BOTH float view_term(int term, float last, float now, float scene) {
    switch (term) {
        case 0: return last;
        case 1: return now;
        case 2: return last * last;
        case 3: return now * now;
        case 4: return last * now;
        case 5: return fabsf(now - last);
        default: return fabsf(now - scene);
    }
}

BOTH void sum_view_row(int thread, const Past &past, Views &views) {
    const int term = thread / VIEW, row = thread % VIEW;
    if (term >= SUMS) return;
    float sum = 0;
    for (int i = row * VIEW; i < (row + 1) * VIEW; ++i)
        sum += view_term(term, past.view[i], views.now[i], past.scene[i]);
    views.partial[term][row] = sum;
}

BOTH void average_view(int thread, Views &views) {
    if (thread >= SUMS) return;
    float sum = 0;
    for (int row = 0; row < VIEW; ++row) sum += views.partial[thread][row];
    views.mean[thread] = sum / VIEW_SIZE;
}

BOTH bool is_cut(const float *mean, const Smoothing &by) {
    const float variance_last = fmaxf(mean[2] - mean[0] * mean[0], 0);
    const float variance_now = fmaxf(mean[3] - mean[1] * mean[1], 0);
    const float covariance = mean[4] - mean[0] * mean[1];
    // The small number makes flat pictures uncorrelated instead of undefined.
    const float correlation = covariance / (sqrtf(variance_last * variance_now) + 1e-4f);
    return mean[5] > by.cut_change && correlation < by.cut_correlation;
}

// How much of the new frame the smoothed grid takes up: 1 at the start and at cuts.
BOTH float share_of_new(const float *mean, const Smoothing &by) {
    if (by.restart || by.time_constant_s == 0 || is_cut(mean, by)) return 1;
    const float change = mean[6] / by.quick_change;
    return 1 - expf(-by.elapsed_s * (1 + change * change) / by.time_constant_s);
}

// One of VIEW_SIZE threads: some nodes of the grid as it will be applied, and what the next frame finds.
// `fault` becomes 1 where the network gave no finite number, and its second the greatest share that a
// cell needs.
BOTH void smooth(int thread, const float *grid, const Smoothing &by, const Past &past,
                 const Past &next, const Views &views, const Darkness &cells, const Trials &trials,
                 float *applied, float *fault) {
    const float share = share_of_new(views.mean, by);
    const bool by_cell = by.when_dark && !by.brightness;
    for (int place = thread; place < NODES; place += VIEW_SIZE) {
        const int level = place / CELL_COUNT, cell = place % CELL_COUNT;
        Node node;
        for (int i = 0; i < 8; ++i) {
            node.at[i] = grid[i * NODES + place];
            if (!is_finite(node.at[i])) *fault = 1;
        }
        if (by.brightness) strengthen(node, level, trials.strength);
        for (int i = 0; i < 8; ++i) {
            const float wanted = by_cell ? weakened(node.at[i], i, cells.share[cell]) : node.at[i];
            node.at[i] = toward(past.grid[i * NODES + place], wanted, share);
            next.grid[i * NODES + place] = node.at[i];
        }
        strengthen(node, level, by.strength);
        for (int i = 0; i < 8; ++i) applied[i * NODES + place] = node.at[i];
    }
    if (thread == 0) {
        fault[1] = by_cell ? 0 : 1;
        for (int i = 0; i < CELL_COUNT; ++i)
            if (by_cell) fault[1] = fmaxf(fault[1], cells.share[i]);
    }
    next.scene[thread] = toward(past.scene[thread], views.now[thread], share);
    next.view[thread] = views.now[thread];
}

#if defined(__CUDACC__) && CHROMA == 420

extern "C" __global__ void __launch_bounds__(VIEW *VIEW)
    smooth_grid(const float *thumbnail, const float *grid, Smoothing by, Past past, Past next,
                float *applied, float *fault) {
    __shared__ Views views;
    __shared__ Darkness cells;
    __shared__ Trials trials;
    view_pixel(threadIdx.x, thumbnail, views);
    look_at_cell(threadIdx.x, thumbnail, cells);
    __syncthreads();
    sum_view_row(threadIdx.x, past, views);
    rank_cell(threadIdx.x, cells);
    if (by.brightness) try_strengths(threadIdx.x, blockDim.x, grid, cells, trials);
    __syncthreads();
    average_view(threadIdx.x, views);
    darken_cell(threadIdx.x, cells);
    sum_trials(threadIdx.x, trials);
    __syncthreads();
    find_large(threadIdx.x, cells);
    average_trials(threadIdx.x, trials);
    __syncthreads();
    grow_cell(threadIdx.x, cells);
    choose_strength(threadIdx.x, by.brightness, trials);
    __syncthreads();
    share_cell(threadIdx.x, cells);
    __syncthreads();
    smooth(threadIdx.x, grid, by, past, next, views, cells, trials, applied, fault);
}

extern "C" __global__ void measure_cells(const float *thumbnail, float *luma) {
    const int cell = blockIdx.x * blockDim.x + threadIdx.x;
    luma[cell] = cell_luma(cell, thumbnail);
}

#endif
