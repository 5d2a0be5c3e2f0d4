// The restoring stage: takes noise out of a stream's 4:2:0 pictures, before they are brightened. It
// is read after kernels.cu, by the same compilers.
//
// Each does what its twin in tapetum/realtime/cpu does, with the same 16-bit fixed point: restoring.py,
// restoring_light.py, wide_changes.py, restoring_time.py and restoring_space.py, whose numbers these are. Whether there
// is anything to do is known here alone, by the grid; the host queues the same kernels for each frame.
// Launch geometry and argument layouts are in restoring_kernels.py.

#if CHROMA == 420

typedef short Fixed;

const int FIXED_BITS = 15, LIMIT = (1 << FIXED_BITS) - 1, GREY = 1 << (FIXED_BITS - 1);
const int TABLE_SHIFT = 7, TABLE = 256;
const int ONE_FRAME = 8, MOST_FRAMES = 16, WIDE = 4;
const int LIGHT_SIDE = 8, LIGHT_BINS = 16, GAIN_BITS = 12;
const int MOST_TOLERANCE = 1300, ALL = 32767;

// How much brighter a picture became, by luma, and what that is found by.
struct Light {
    int counts[LIGHT_BINS], ups[LIGHT_BINS], downs[LIGHT_BINS];
    // The two in the middle of each bin: what was known, and how that changed.
    float known[LIGHT_BINS][2], change[LIGHT_BINS][2];
    int changed;
    Fixed more[TABLE + 1], gain[TABLE + 1];
};

// What is done with a frame; the first two last from frame to frame.
struct Plan {
    int idle, is_new;
    int learns, restarts;
    float quiet[TABLE];     // 1 / deviation of noise
    float measured[TABLE];  // this deviation, but for what single levels make of it
    int cells[TABLE];       // the deviation to be smoothed, and below it the share of what is restored
};

// The noise of a frame, as the host measured it: see NoiseLevel and StillNoise.
struct FrameNoise {
    float luma[TABLE], seen[TABLE];
    float floor, blocked, coded, smoothness, amount, black, span;
    int still, careful, sure;
};

// Planes of one stream, without gaps but for luma, whose rows have two samples a cell; and what differs
// from frame to frame. A cell is 2x2 pixels, one sample of chroma. Planes that are read at places
// beside are written to their `new` twins, which change places.
struct Restoring {
    Fixed *luma, *known, *new_known;
    Fixed *chroma[2], *new_chroma[2];
    Fixed *half, *last;
    Fixed *remains, *deviation;  // of the noise: its share in 256ths, and that of luma
    Fixed *change;
    Fixed *coarse[2][3], *coarse_change[2][3];  // of a quarter and an eighth of the size: Y, U and V
    float *blocks, *wide, *flatness, *means;  // of WIDE x WIDE cells; and of light
    int *places;
    unsigned char *evidence;
    Plan *plan;
    Light *light;
    unsigned short *restored_luma, *restored_chroma;
    int width, height, depth, restarts, every, still;
    float black, mean_lean, wide_lean, told;
    float chroma_noise[2];
    float factors[3][4];
};

BOTH int cells_across(const Restoring &s) { return chroma_width(s.width); }

BOTH int cells_down(const Restoring &s) { return chroma_height(s.height); }

BOTH int halved(int size) { return (size + 1) / 2; }

BOTH int within(int place, int size) { return place < 0 ? 0 : place < size ? place : size - 1; }

BOTH int limited(int value, int low, int high) {
    return value < low ? low : value > high ? high : value;
}

BOTH void count_one(int *place) {
#ifdef __CUDA_ARCH__
    atomicAdd(place, 1);
#else
    __atomic_fetch_add(place, 1, __ATOMIC_RELAXED);
#endif
}

template <class T>
BOTH int fixed_of(T word, int shift) {
    return sizeof(T) == 1 ? word << 7 : (word & ((0xFFFF >> shift) << shift)) >> 1;
}

// Half the size -----------------------------------------------------------------------------------

// One thread: luma of one cell of the frame. The first ones clear what is counted afterwards.
template <class T>
BOTH void halve_frame(int x, int y, const Picture &in, const Colors &colors, const Restoring &s) {
    if (y == 0 && x < LIGHT_BINS) s.light->counts[x] = s.light->ups[x] = s.light->downs[x] = 0;
    if (x >= cells_across(s)) return;
    const T *upper = row_of<T>(in.luma, in.luma_pitch, 2 * y);
    const T *lower = row_of<T>(in.luma, in.luma_pitch, within(2 * y + 1, s.height));
    const int left = 2 * x, right = within(2 * x + 1, s.width), shift = colors.shift;
    const int sum = fixed_of(upper[left], shift) + fixed_of(upper[right], shift) +
                    fixed_of(lower[left], shift) + fixed_of(lower[right], shift);
    s.half[y * cells_across(s) + x] = (sum + 2) >> 2;
}

// One thread: a sample of a plane of a quarter (`scale` 0) or an eighth of the size.
BOTH void halve_known(int x, int row, int scale, const Restoring &s) {
    if (!s.plan->learns) return;
    int width = cells_across(s), height = cells_down(s);
    if (scale == 1) width = halved(width), height = halved(height);
    const int plane = row % 3, y = row / 3;
    if (x >= halved(width)) return;
    const Fixed *from = scale == 1   ? s.coarse[0][plane]
                        : plane == 0 ? s.new_known
                                     : s.new_chroma[plane - 1];
    const Fixed *upper = from + 2 * y * width, *lower = from + within(2 * y + 1, height) * width;
    const int left = 2 * x, right = within(2 * x + 1, width);
    s.coarse[scale][plane][y * halved(width) + x] =
        (upper[left] + upper[right] + lower[left] + lower[right] + 2) >> 2;
}

// Light -------------------------------------------------------------------------------------------

BOTH int light_columns(const Restoring &s) {
    return (cells_across(s) / LIGHT_SIDE + s.every - 1) / s.every;
}

BOTH int light_count(const Restoring &s) {
    return light_columns(s) * ((cells_down(s) / LIGHT_SIDE + s.every - 1) / s.every);
}

BOTH bool has_past(const Restoring &s) { return !s.restarts && !s.plan->is_new; }

// How sure it is that changes are one of light, by how many go one way.
BOTH float agreement(int ups, int downs, int count) {
    const float share = static_cast<float>(ups > downs ? ups : downs) / static_cast<float>(count);
    return unit_clamp((share - 0.62f) / (0.82f - 0.62f));
}

// Of all bins together, or 0 where there are too few.
BOTH float whole_agreement(const Light &light) {
    int ups = 0, downs = 0, count = 0;
    for (int i = 0; i < LIGHT_BINS; ++i) {
        ups += light.ups[i];
        downs += light.downs[i];
        count += light.counts[i];
    }
    return count < 8 ? 0 : agreement(ups, downs, count);
}

// One thread: the means of 8x8 cells, of the frame and of what was known.
BOTH void compare_means(int i, const Restoring &s) {
    const int count = light_count(s);
    if (i >= count || !has_past(s)) return;
    const int width = cells_across(s), columns = light_columns(s);
    const int row = i / columns * s.every, column = i % columns * s.every;
    int here = 0, before = 0;
    for (int y = row * LIGHT_SIDE; y < (row + 1) * LIGHT_SIDE; ++y)
        for (int x = column * LIGHT_SIDE; x < (column + 1) * LIGHT_SIDE; ++x) {
            here += s.half[y * width + x];
            before += s.known[y * width + x];
        }
    const float old = before / 64.0f, share = fmaxf(old - s.black, 0) / (1 << FIXED_BITS);
    const int bin = static_cast<int>(sqrtf(share) * LIGHT_BINS);
    const int place = bin < LIGHT_BINS ? bin : LIGHT_BINS - 1;
    s.means[i] = old;
    s.means[count + i] = (here - before) / 64.0f;
    s.places[i] = place;
    count_one(s.light->counts + place);
    if (here > before) count_one(s.light->ups + place);
    if (here < before) count_one(s.light->downs + place);
}

// One thread: whether one pair of means is in the middle of its bin.
BOTH void find_medians(int i, const Restoring &s) {
    const int count = light_count(s);
    if (i >= count || !has_past(s) || whole_agreement(*s.light) == 0) return;
    const int place = s.places[i], many = s.light->counts[place];
    const float old = s.means[i], change = s.means[count + i];
    int lower = 0, smaller = 0;
    for (int j = 0; j < count; ++j) {
        if (s.places[j] != place) continue;
        const float other = s.means[j], other_change = s.means[count + j];
        lower += other < old || (other == old && j < i);
        smaller += other_change < change || (other_change == change && j < i);
    }
    if (lower == (many - 1) / 2) s.light->known[place][0] = old;
    if (lower == many / 2) s.light->known[place][1] = old;
    if (smaller == (many - 1) / 2) s.light->change[place][0] = change;
    if (smaller == many / 2) s.light->change[place][1] = change;
}

// One thread: one step of luma.
BOTH void draw_light(int step, const Restoring &s) {
    if (step > TABLE) return;
    Light &light = *s.light;
    const float share = has_past(s) ? whole_agreement(light) : 0;
    if (step == 0) light.changed = share > 0;
    if (share == 0) return;
    const float level = static_cast<float>(step << TABLE_SHIFT);
    float at = s.black, by = 0, more = 0;
    bool found = level <= at;
    for (int bin = 0; bin < LIGHT_BINS; ++bin) {
        if (light.counts[bin] < 8) continue;
        const float sure = agreement(light.ups[bin], light.downs[bin], light.counts[bin]);
        const float next = 0.5f * (light.known[bin][0] + light.known[bin][1]);
        const float way = 0.5f * (light.change[bin][0] + light.change[bin][1]) * fminf(sure, share);
        if (!found && level <= next) {
            more = mix(by, way, (level - at) / (next - at));
            found = true;
        }
        at = next;
        by = way;
    }
    if (!found) more = fminf((level - s.black) / fmaxf(at - s.black, 1) * by, 2 * fabsf(by));
    more = level < s.black ? 0 : fmaxf(more, s.black - level);
    const float gain = clamp(1 + more / fmaxf(level - s.black, 1 << TABLE_SHIFT), 0.25f, 4);
    light.more[step] = rounded(more);
    light.gain[step] = limited(rounded(gain * (1 << GAIN_BITS)), 0, LIMIT);
}

BOTH Fixed in_new_light(int sample, int old, int now, int gain) {
    return limited(now + (((sample - old) * gain) >> GAIN_BITS), 0, LIMIT);
}

// One thread: what is known of one cell.
BOTH void relight_cell(int x, int y, const Restoring &s) {
    const int width = cells_across(s), cell = y * width + x;
    if (x >= width || !s.light->changed) return;
    const int old = s.known[cell], level = old >> TABLE_SHIFT;
    const int here = s.light->more[level], there = s.light->more[level + 1];
    const int part = old & ((1 << TABLE_SHIFT) - 1);
    const int now = limited(old + here + (((there - here) * part) >> TABLE_SHIFT), 0, LIMIT);
    const int gain = s.light->gain[level];
    for (int row = 2 * y; row < 2 * y + 2 && row < s.height; ++row)
        for (int column = 2 * x; column < 2 * x + 2; ++column) {
            Fixed &sample = s.luma[row * 2 * width + column];
            sample = in_new_light(sample, old, now, gain);
        }
    s.known[cell] = now;
    for (int plane = 0; plane < 2; ++plane) {
        Fixed &sample = s.chroma[plane][cell];
        sample = in_new_light(sample, GREY, GREY, gain);
    }
}

// What is to be done ------------------------------------------------------------------------------

const int PARTS = 16;

// What the threads of the one block share on the way to a plan.
struct Planning {
    float partial[2 * LEVELS][PARTS], mean[2 * LEVELS];
    float bright[TABLE], seen[TABLE], sums[PARTS];
};

// One of 256 threads: a part of the mean of gain or offset at a level over the cells of a grid.
BOTH void sum_cells(int thread, const float *grid, Planning &planning) {
    const int which = thread / PARTS, part = thread % PARTS;
    const float *row = grid + which * CELLS * CELLS + part * CELLS;
    float sum = 0;
    for (int i = 0; i < CELLS; ++i) sum += row[i];
    planning.partial[which][part] = sum;
}

BOTH void average_cells(int thread, Planning &planning) {
    if (thread >= 2 * LEVELS) return;
    float sum = 0;
    for (int i = 0; i < PARTS; ++i) sum += planning.partial[thread][i];
    planning.mean[thread] = sum / CELL_COUNT;
}

// One thread: what the grid makes of a luma, on average.
BOTH void brighten_step(int step, const FrameNoise &noise, Planning &planning) {
    const float y = (static_cast<float>(step) - noise.black) / noise.span;
    const Place place = level_place(y);
    const float *gain = planning.mean + place.cell, *offset = gain + LEVELS;
    planning.bright[step] =
        mix(gain[0], gain[1], place.weight) * y + mix(offset[0], offset[1], place.weight);
}

// How much of a noise is seen in the bright picture.
BOTH float share_seen(float noise, float slope) {
    return unit_clamp((noise * slope / (1 << (FIXED_BITS - 8)) - 0.65f) / (1.1f - 0.65f));
}

// How much of the noise is taken out, by itself.
BOTH float share_of_noise(float luma, const FrameNoise &noise) {
    if (noise.still) return luma > 4 ? 1 : 0;
    const float whole = mix(2.3f, 1.7f, noise.smoothness);
    return unit_clamp(fmaxf((luma / noise.floor - 1.3f) / (whole - 1.3f), noise.blocked));
}

BOTH float slope_at(int step, const FrameNoise &noise, const Planning &planning) {
    const int above = within(step + 1, TABLE), below = within(step - 1, TABLE);
    const float way = planning.bright[above] - planning.bright[below];
    return way * noise.span / static_cast<float>(above - below);
}

// How much steeper noise becomes, which goes over some levels: see `curve_slope`.
BOTH float slope_to_noise(int step, const FrameNoise &noise, const Planning &planning) {
    const int around = 7;
    float sum = 0;
    for (int near = step - around; near <= step + around; ++near) {
        sum += fabsf(slope_at(within(near, TABLE), noise, planning));
    }
    return fmaxf(slope_at(step, noise, planning), sum / (2 * around + 1));
}

// One thread: a luma's noise, and what is done about it.
BOTH void plan_step(int step, const FrameNoise &noise, Planning &planning, Plan &plan) {
    const float slope = slope_to_noise(step, noise, planning);
    const float luma = noise.luma[step];
    // Single levels are taken for noise too, where they become stark.
    const float a_level = noise.floor / (0.289f / 2), way_up = slope * a_level / (1 << (FIXED_BITS - 8));
    const float stark = noise.still ? 0 : unit_clamp((way_up - 2) / (5 - 2));
    const float coded = (luma + 20 * noise.coded * (luma - noise.floor)) / a_level;
    const auto taken_for_noise = [&](float most) {
        const float least = fmaxf(0.22f, most * noise.blocked);
        return fmaxf(luma, stark * fminf(fmaxf(coded, least), most) * a_level);
    };
    const float deviation = taken_for_noise(0.35f);
    float share = fmaxf(share_of_noise(luma, noise), stark), wanted = noise.amount;
    if (noise.careful) {
        if (!noise.still && !noise.sure) share = 0;
        const float hidden = noise.still ? 1.3f : 1 + 1.5f * noise.smoothness;
        share *= share_seen(deviation * hidden, slope);
        wanted = unit_clamp((slope - 1.05f) / (1.35f - 1.05f));
    }
    const int weight = rounded(static_cast<float>(rounded(wanted * ALL)) * share);
    const float smooth = noise.still ? deviation : deviation * share;
    plan.quiet[step] = 1 / taken_for_noise(0.5f);  // over time
    plan.measured[step] = luma;
    plan.cells[step] = static_cast<int>(fminf(smooth, MOST_TOLERANCE) + 0.5f) << 16 | weight;
    planning.seen[step] = static_cast<float>(weight) * noise.seen[step];
}

BOTH void sum_seen(int thread, Planning &planning) {
    if (thread >= PARTS) return;
    float sum = 0;
    for (int i = 0; i < TABLE / PARTS; ++i) sum += planning.seen[thread * PARTS + i];
    planning.sums[thread] = sum;
}

// One thread of all: see `_State.restored`.
BOTH void decide(int thread, const Restoring &s, const Planning &planning) {
    if (thread > 0) return;
    Plan &plan = *s.plan;
    float seen = 0;
    for (int i = 0; i < PARTS; ++i) seen += planning.sums[i];
    if (s.restarts) plan.idle = 0, plan.is_new = 1;
    plan.idle = seen > 0.03f * ALL ? 0 : plan.idle + 1;
    plan.learns = plan.idle <= 30 && (plan.idle == 0 || !plan.is_new);
    plan.restarts = plan.is_new;
    plan.is_new = !plan.learns;
}

// Time --------------------------------------------------------------------------------------------

// What is known of a block of WIDE x WIDE cells: means of its cells.
enum { MOVED, SCATTER, ALONG_ACROSS, ALONG_DOWN, STEEP_ACROSS, STEEP_DOWN, BENT, BLOCK_MEANS };

BOTH int wide_columns(const Restoring &s) { return (cells_across(s) + WIDE - 1) / WIDE; }

BOTH int wide_rows(const Restoring &s) { return (cells_down(s) + WIDE - 1) / WIDE; }

BOTH int size_of(int value) { return value < 0 ? -value : value; }

// The place in tables of the cell in the middle of a block, by which its noise is known.
BOTH int block_luma(int x, int y, const Restoring &s) {
    const int width = cells_across(s), height = cells_down(s);
    const int column = (WIDE * x + (WIDE * x + WIDE < width ? WIDE * x + WIDE : width)) / 2;
    const int row = (WIDE * y + (WIDE * y + WIDE < height ? WIDE * y + WIDE : height)) / 2;
    return s.half[row * width + column] >> TABLE_SHIFT;
}

// One thread: one block by itself.
BOTH void compare_wide(int x, int y, const Restoring &s) {
    const int width = cells_across(s), height = cells_down(s), columns = wide_columns(s);
    if (x >= columns || !s.plan->learns || s.plan->restarts) return;
    const int right = within(WIDE * x + WIDE - 1, width), bottom = within(WIDE * y + WIDE - 1, height);
    const int most = static_cast<int>(12 / s.plan->quiet[block_luma(x, y, s)]);
    int sums[BLOCK_MEANS] = {};
    for (int row = WIDE * y; row <= bottom; ++row) {
        const int here = row * width, above = within(row - 1, height) * width;
        const int below = within(row + 1, height) * width;
        for (int column = WIDE * x; column <= right; ++column) {
            const int before = within(column - 1, width), after = within(column + 1, width);
            const int change = s.half[here + column] - s.known[here + column];
            const int step = limited(change, -512, 512);
            const int across = limited(s.known[here + after] - s.known[here + before], -2047, 2047);
            const int down = limited(s.known[below + column] - s.known[above + column], -2047, 2047);
            const int twice = 2 * s.half[here + column];
            const int bend = size_of(twice - s.half[here + before] - s.half[here + after]) +
                             size_of(twice - s.half[above + column] - s.half[below + column]);
            sums[MOVED] += change;
            sums[SCATTER] += step * step;
            sums[ALONG_ACROSS] += across * step;
            sums[ALONG_DOWN] += down * step;
            sums[STEEP_ACROSS] += across * across;
            sums[STEEP_DOWN] += down * down;
            sums[BENT] += bend < most ? bend : most;
        }
    }
    const int count = (right - WIDE * x + 1) * (bottom - WIDE * y + 1);
    float *means = s.blocks + (y * columns + x) * BLOCK_MEANS;
    for (int i = 0; i < BLOCK_MEANS; ++i)
        means[i] = static_cast<float>(sums[i]) / static_cast<float>(count);
}

// How sure a change along gradients is, by the noise that there would be in it.
BOTH float along(float product, float steepness, float deviation) {
    return WIDE * WIDE * fabsf(product) / sqrtf(2.25f * steepness + 8 * deviation * deviation);
}

// How much of squared changes a shift along gradients explains.
BOTH float explained(float product, float steepness) {
    return product * product / fmaxf(steepness, 1e-3f);
}

// One thread: one block with its neighbours; see `_judge_row`.
BOTH void judge_wide(int x, int y, const Restoring &s) {
    const int columns = wide_columns(s), rows = wide_rows(s);
    if (x >= columns || !s.plan->learns || s.plan->restarts) return;
    float means[BLOCK_MEANS] = {};
    for (int down = -1; down <= 1; ++down)
        for (int across = -1; across <= 1; ++across) {
            const float weight = (down ? 1.0f : 2.0f) * (across ? 1.0f : 2.0f) / 16;
            const int place = within(y + down, rows) * columns + within(x + across, columns);
            for (int i = 0; i < BLOCK_MEANS; ++i)
                means[i] += weight * s.blocks[place * BLOCK_MEANS + i];
        }
    const int luma = block_luma(x, y, s);
    const float deviation = 1 / s.plan->quiet[luma], measured = s.plan->measured[luma];
    const float told = fmaxf(s.told, fminf(1.2f * (1 - measured / deviation), 1));
    const float shift = fmaxf(along(means[ALONG_ACROSS], means[STEEP_ACROSS], deviation),
                              along(means[ALONG_DOWN], means[STEEP_DOWN], deviation));
    const float steep = means[STEEP_ACROSS] + means[STEEP_DOWN];
    const float stirred = 1.7f * fminf(means[SCATTER], steep / 8) / deviation;
    const float by_shift = fmaxf(explained(means[ALONG_ACROSS], means[STEEP_ACROSS]),
                                 explained(means[ALONG_DOWN], means[STEEP_DOWN]));
    const float size = sqrtf(fmaxf(means[SCATTER] - by_shift, 0));
    const float scatter = fmaxf(0.86f * size / deviation, 1);
    const float noise_there = fmaxf(deviation, fminf(0.85f * size, 1.6f * measured));
    const float bent = means[BENT] / (3.9f * noise_there);
    const int place = y * columns + x;
    s.wide[place] = fmaxf(fabsf(means[MOVED]), fmaxf(shift / scatter, stirred) * s.wide_lean * told);
    s.flatness[place] = 1 - unit_clamp((bent - 1.2f - 0.25f * (1 - told)) / 0.5f);
}

BOTH int block_of(int x, int y, const Restoring &s) {
    return y / WIDE * wide_columns(s) + x / WIDE;
}

const int LEARNT_COLUMNS = 32, LEARNT_ROWS = 8;  // cells of a block
const int AROUND_COLUMNS = LEARNT_COLUMNS + 2, AROUND_ROWS = LEARNT_ROWS + 2;

// What changed in the cells of a block and around it.
struct Changes {
    Fixed luma[AROUND_ROWS * AROUND_COLUMNS], u[AROUND_ROWS * AROUND_COLUMNS],
        v[AROUND_ROWS * AROUND_COLUMNS];
    unsigned char is_new[AROUND_ROWS * AROUND_COLUMNS];
};

BOTH Fixed change_of(int now, int before) { return limited(now - before, -2047, 2047); }

// One of `threads` threads: its share of the changes.
template <class T>
BOTH void compare_cells(int thread, int threads, int block_x, int block_y, const Picture &in,
                        const Colors &colors, const Restoring &s, Changes &changes) {
    if (!s.plan->learns || s.plan->restarts) return;
    const int width = cells_across(s), height = cells_down(s);
    for (int i = thread; i < AROUND_ROWS * AROUND_COLUMNS; i += threads) {
        const int x = within(block_x * LEARNT_COLUMNS - 1 + i % AROUND_COLUMNS, width);
        const int y = within(block_y * LEARNT_ROWS - 1 + i / AROUND_COLUMNS, height);
        const int cell = y * width + x;
        const T *chroma = row_of<T>(in.chroma, in.chroma_pitch, y) + 2 * x;
        changes.luma[i] = change_of(s.half[cell], s.known[cell]);
        changes.u[i] = change_of(fixed_of(chroma[0], colors.shift), s.chroma[0][cell]);
        changes.v[i] = change_of(fixed_of(chroma[1], colors.shift), s.chroma[1][cell]);
        changes.is_new[i] = s.half[cell] != s.last[cell];
    }
}

// Sixteen times the binomial means around a cell.
struct Means {
    int luma, u, v, size, is_new;
};

BOTH Means means_around(int place, const Changes &changes) {
    Means sum = {};
    for (int y = -1; y <= 1; ++y)
        for (int x = -1; x <= 1; ++x) {
            const int at = place + y * AROUND_COLUMNS + x, weight = (y ? 1 : 2) * (x ? 1 : 2);
            const int luma = changes.luma[at];
            sum.luma += weight * luma;
            sum.u += weight * changes.u[at];
            sum.v += weight * changes.v[at];
            sum.size += weight * (luma < 0 ? -luma : luma);
            sum.is_new += changes.is_new[at];
        }
    return sum;
}

// How much a cell moves, from 0 to 1: see `_decide`.
BOTH float motion_of(const Means &mean, float wide, float quiet, float frames, const Restoring &s) {
    const float doubt = sqrtf(frames / (frames + ONE_FRAME)), sixteenth = 1 / 16.0f;
    const float u = fabsf(static_cast<float>(mean.u)) * (sixteenth / (s.chroma_noise[0] * s.mean_lean));
    const float v = fabsf(static_cast<float>(mean.v)) * (sixteenth / (s.chroma_noise[1] * s.mean_lean));
    const float luma = fmaxf(fabsf(static_cast<float>(mean.luma)) * (sixteenth / s.mean_lean), wide / s.wide_lean);
    const float by_mean = (fmaxf(fmaxf(u, v), luma * quiet) * doubt - 2.5f) / (4.5f - 2.5f);
    const float size = static_cast<float>(mean.size) * (1.25f / 16) * quiet * doubt;
    return unit_clamp(fmaxf(by_mean, (size - 1.5f) / (2.3f - 1.5f)));
}

// The share of the new frame in a cell's estimate, 32768 for all; its evidence is updated.
BOTH int share_of_new(float motion, bool is_new, unsigned char &evidence) {
    const float one = ONE_FRAME;
    if (!is_new && motion <= 0.5f) return 0;  // nothing was sent, and nothing moves
    const float count = fminf(evidence * (1 - motion) + one, MOST_FRAMES * one);
    evidence = static_cast<unsigned char>(count + 0.5f);
    const int share = static_cast<int>(one * ALL / fmaxf(count, one));
    return share + (share >> 14);
}

BOTH int toward_new(int old, int now, int share) {
    return old + (((now - old) * share + (1 << 14)) >> 15);
}

// What noise remains of a cell that is known.
BOTH void describe_cell(int cell, int known, float flatness, const Restoring &s) {
    const float frames = s.evidence[cell];
    const float remains = fmaxf(sqrtf(ONE_FRAME / fmaxf(frames, ONE_FRAME)), 0.4f);
    const float deviation = s.plan->cells[known >> TABLE_SHIFT] >> 16;
    s.remains[cell] = static_cast<Fixed>(remains * 256);
    s.deviation[cell] = static_cast<Fixed>(deviation * remains * flatness + 0.5f);
}

// One thread: a cell's share of the new frame, and its estimates.
template <class T>
BOTH void learn_cell(int thread, int block_x, int block_y, const Picture &in, const Colors &colors,
                     const Restoring &s, const Changes &changes) {
    const int left = thread % LEARNT_COLUMNS, upper = thread / LEARNT_COLUMNS;
    const int x = block_x * LEARNT_COLUMNS + left, y = block_y * LEARNT_ROWS + upper;
    const int width = cells_across(s), cell = y * width + x, shift = colors.shift;
    if (!s.plan->learns || x >= width || y >= cells_down(s)) return;
    int share = 1 << 15;
    float flatness = 1;
    if (s.plan->restarts) {
        s.evidence[cell] = ONE_FRAME;
    } else {
        const Means mean = means_around((upper + 1) * AROUND_COLUMNS + left + 1, changes);
        const float quiet = s.plan->quiet[s.half[cell] >> TABLE_SHIFT];
        const float motion = motion_of(mean, s.wide[block_of(x, y, s)], quiet, s.evidence[cell], s);
        share = share_of_new(motion, mean.is_new > 0, s.evidence[cell]);
        flatness = s.flatness[block_of(x, y, s)];
    }
    int sum = 0;
    for (int row = 2 * y; row < 2 * y + 2; ++row) {
        const T *words = row_of<T>(in.luma, in.luma_pitch, within(row, s.height));
        Fixed *line = s.luma + within(row, s.height) * 2 * width + 2 * x;
        const int other = within(2 * x + 1, s.width);
        if (row < s.height) {
            line[0] = toward_new(line[0], fixed_of(words[2 * x], shift), share);
            line[1] = other > 2 * x ? toward_new(line[1], fixed_of(words[other], shift), share) : line[0];
        }
        sum += line[0] + line[1];
    }
    const int known = (sum + 2) >> 2;
    s.new_known[cell] = known;
    describe_cell(cell, known, flatness, s);
    const T *chroma = row_of<T>(in.chroma, in.chroma_pitch, y) + 2 * x;
    for (int i = 0; i < 2; ++i)
        s.new_chroma[i][cell] = toward_new(s.chroma[i][cell], fixed_of(chroma[i], shift), share);
}

// Space -------------------------------------------------------------------------------------------

const int TILE_COLUMNS = 64, TILE_ROWS = 16;  // samples of a block
const int LINE_COLUMNS = TILE_COLUMNS + 4, LINE_ROWS = TILE_ROWS + 2;  // two on either side
const int CELL_COLUMNS = TILE_COLUMNS + 1, CELL_ROWS = TILE_ROWS + 1;
const int OUTSIDE = -32768;  // as far from all samples as nothing flows

// A plane to be smoothed, and how the one of half its size is changed, if there is one. `scale` is
// log2 of cells to a sample; -1 where a cell is two samples wide and high.
struct Layer {
    const Fixed *plane, *coarser;
    int width, height, pitch, scale;
    const Fixed *known;  // of each cell, by which its tolerance is
    float factor;
};

struct Tile {
    Fixed lines[LINE_ROWS * LINE_COLUMNS];
    Fixed doubles[CELL_ROWS * CELL_COLUMNS];
};

// What is added to two samples beside each other.
struct Lift {
    int left, right;
};

// A coarser plane's change, enlarged bilinearly: to samples 2 * x and 2 * x + 1 of a row.
BOTH Lift lifted(const Layer &layer, int x, int y) {
    const int width = halved(layer.width), height = halved(layer.height);
    const Fixed *near = layer.coarser + y / 2 * width;
    const Fixed *far = layer.coarser + within(y / 2 + (y % 2 ? 1 : -1), height) * width;
    const int before = within(x - 1, width), after = within(x + 1, width);
    const int here = 3 * ((3 * near[x] + far[x] + 2) >> 2) + 2;
    return {(here + ((3 * near[before] + far[before] + 2) >> 2)) >> 2,
            (here + ((3 * near[after] + far[after] + 2) >> 2)) >> 2};
}

// Twice the tolerance of samples of which so much is known.
BOTH int double_tolerance(int known, const Layer &layer) {
    return static_cast<int>(fminf(known * (2 * layer.factor), 2 * MOST_TOLERANCE));
}

// Two samples from column 2 * x on, with what the coarser plane changes; there are none outside.
BOTH void load_pair(const Layer &layer, int x, int y, int top, Fixed *line) {
    line[0] = line[1] = OUTSIDE;
    if (x < 0 || y < 0 || 2 * x >= layer.width || y >= layer.height) return;
    const Fixed *own = layer.plane + y * layer.pitch + 2 * x;
    const Lift more = layer.coarser ? lifted(layer, x, y) : Lift{0, 0};
    line[0] = limited(own[0] + more.left, 0, top);
    if (2 * x + 1 < layer.width) line[1] = limited(own[1] + more.right, 0, top);
}

// One of `threads` threads: its share of a tile, with what lies around.
BOTH void load_tile(int thread, int threads, int block_x, int block_y, const Layer &layer,
                    const Restoring &s, Tile &tile) {
    const int top = ((1 << s.depth) - 1) << (FIXED_BITS - s.depth);
    const int left = block_x * TILE_COLUMNS - 1, upper = block_y * TILE_ROWS - 1;
    const int first_pair = block_x * TILE_COLUMNS / 2 - 1, across = cells_across(s);
    for (int i = thread; i < LINE_ROWS * LINE_COLUMNS / 2; i += threads) {
        const int x = i % (LINE_COLUMNS / 2), y = i / (LINE_COLUMNS / 2);
        load_pair(layer, first_pair + x, upper + y, top, tile.lines + 2 * i);
    }
    const bool two = layer.scale < 0;
    const int columns = two ? TILE_COLUMNS / 2 + 1 : CELL_COLUMNS;
    const int rows = two ? TILE_ROWS / 2 + 1 : CELL_ROWS, scale = two ? 0 : layer.scale;
    const int first = two ? block_x * TILE_COLUMNS / 2 - 1 : left;
    const int above = two ? block_y * TILE_ROWS / 2 - 1 : upper;
    for (int i = thread; i < rows * columns; i += threads) {
        const int x = within(within(first + i % columns, layer.width) << scale, across);
        const int y = within(within(above + i / columns, layer.height) << scale, cells_down(s));
        tile.doubles[i] = double_tolerance(layer.known[y * across + x], layer);
    }
}

// What `first` gains of `second`: all of a small difference, and nothing of a large one.
BOTH int flow(int first, int second, int twice) {
    const int way = second - first, size = way < 0 ? -way : way;
    const int most = twice > size ? twice - size : 0;
    return limited(way, -most, most);
}

// Twice the tolerance at a column and row of a tile, from -1 on.
template <bool TWO>
BOTH int twice_at(const Tile &tile, int x, int y) {
    const int columns = TWO ? TILE_COLUMNS / 2 + 1 : CELL_COLUMNS;
    return TWO ? tile.doubles[((y + 2) >> 1) * columns + ((x + 2) >> 1)]
               : tile.doubles[(y + 1) * columns + x + 1];
}

// The sample at a column and row of a tile, smoothed.
template <bool TWO>
BOTH int smoothed(const Tile &tile, int x, int y) {
    const Fixed *at = tile.lines + (y + 1) * LINE_COLUMNS + x + 2;
    const Fixed *above = at - LINE_COLUMNS, *below = at + LINE_COLUMNS;
    const int own = at[0], here = twice_at<TWO>(tile, x, y), left = twice_at<TWO>(tile, x - 1, y);
    const int over = twice_at<TWO>(tile, x, y - 1), corner = twice_at<TWO>(tile, x - 1, y - 1);
    const int sides = flow(own, at[1], here) - flow(at[-1], own, left) + flow(own, below[0], here) -
                      flow(above[0], own, over);
    const int corners = flow(own, below[1], here) - flow(above[-1], own, corner) +
                        flow(own, below[-1], left) - flow(above[1], own, over);
    return own + ((2 * sides + corners + 8) >> 4);
}

// Y, U or V of an eighth of the size (SCALE 2) or a quarter, or Y of half the size (0).
template <int SCALE>
BOTH Layer coarse_layer(int plane, const Restoring &s) {
    int width = cells_across(s), height = cells_down(s);
    for (int i = 0; i < SCALE; ++i) width = halved(width), height = halved(height);
    const Fixed *own = SCALE == 0 ? s.new_known : s.coarse[SCALE == 2][plane];
    const Fixed *coarser = SCALE == 2 ? nullptr : s.coarse_change[SCALE == 1][plane];
    const Fixed *known = plane == 0 || s.still ? s.deviation : s.remains;
    return {own, coarser, width, height, width, SCALE, known, s.factors[plane][SCALE + 1]};
}

// Rows of blocks belong to Y, U and V by turns.
template <int SCALE>
BOTH void load_coarse(int thread, int threads, int block_x, int block_y, const Restoring &s,
                      Tile &tile) {
    const int planes = SCALE == 0 ? 1 : 3;
    if (!s.plan->learns) return;
    const Layer layer = coarse_layer<SCALE>(block_y % planes, s);
    load_tile(thread, threads, block_x, block_y / planes, layer, s, tile);
}

// One of `threads` threads: its share of how a coarse plane is changed.
template <int SCALE>
BOTH void correct(int thread, int threads, int block_x, int block_y, const Restoring &s,
                  const Tile &tile) {
    const int planes = SCALE == 0 ? 1 : 3, plane = block_y % planes;
    if (!s.plan->learns) return;
    const Layer layer = coarse_layer<SCALE>(plane, s);
    Fixed *change = SCALE == 0 ? s.change : s.coarse_change[SCALE == 2][plane];
    for (int i = thread; i < TILE_ROWS * TILE_COLUMNS; i += threads) {
        const int column = i % TILE_COLUMNS, row = i / TILE_COLUMNS;
        const int x = block_x * TILE_COLUMNS + column, y = block_y / planes * TILE_ROWS + row;
        const int place = y * layer.pitch + x;
        if (x < layer.width && y < layer.height)
            change[place] = smoothed<false>(tile, column, row) - layer.plane[place];
    }
}

BOTH Layer luma_layer(const Restoring &s) {
    return {s.luma, s.change,    s.width,        s.height, 2 * cells_across(s),
            -1,     s.deviation, s.factors[0][0]};
}

BOTH Layer chroma_layer(int plane, const Restoring &s) {
    const int width = cells_across(s);
    const Fixed *known = s.still ? s.deviation : s.remains;
    return {s.new_chroma[plane], s.coarse_change[0][1 + plane], width, cells_down(s), width, 0,
            known, s.factors[1 + plane][1]};
}

// A sample of the frame and the same restored, as a level with its fraction.
BOTH unsigned short mixed_level(int own, int restored, int weight, int depth) {
    const int way = limited(restored - own, -16383, 16383);
    const int drop = FIXED_BITS - (depth < 10 ? 10 : depth);
    return (own + ((2 * way * weight) >> 16) + (1 << drop >> 1)) >> drop;
}

BOTH int weight_of(int cell, const Restoring &s) {
    return s.plan->cells[s.new_known[cell] >> TABLE_SHIFT] & 0xFFFF;
}

BOTH int restored_pitch(int samples) { return (samples + 3) & ~3; }

BOTH void load_luma(int thread, int threads, int block_x, int block_y, const Restoring &s,
                    Tile &tile) {
    if (s.plan->learns) load_tile(thread, threads, block_x, block_y, luma_layer(s), s, tile);
}

// One of `threads` threads: its share of a block of luma.
template <class T>
BOTH void finish_luma(int thread, int threads, int block_x, int block_y, const Picture &in,
                      const Colors &colors, const Restoring &s, const Tile &tile) {
    if (!s.plan->learns) return;
    for (int i = thread; i < TILE_ROWS * TILE_COLUMNS; i += threads) {
        const int column = i % TILE_COLUMNS, row = i / TILE_COLUMNS;
        const int x = block_x * TILE_COLUMNS + column, y = block_y * TILE_ROWS + row;
        if (x < s.width && y < s.height) {
            const int own = fixed_of(row_of<T>(in.luma, in.luma_pitch, y)[x], colors.shift);
            const int weight = weight_of(y / 2 * cells_across(s) + x / 2, s);
            s.restored_luma[y * restored_pitch(s.width) + x] =
                mixed_level(own, smoothed<true>(tile, column, row), weight, s.depth);
        }
    }
}

struct ChromaTiles {
    Tile of[2];
};

BOTH void load_chroma(int thread, int threads, int block_x, int block_y, const Restoring &s,
                      ChromaTiles &tiles) {
    if (!s.plan->learns) return;
    for (int i = 0; i < 2; ++i)
        load_tile(thread, threads, block_x, block_y, chroma_layer(i, s), s, tiles.of[i]);
}

// One of `threads` threads: its share of a block of U and V.
template <class T>
BOTH void finish_chroma(int thread, int threads, int block_x, int block_y, const Picture &in,
                        const Colors &colors, const Restoring &s, const ChromaTiles &tiles) {
    if (!s.plan->learns) return;
    const int width = cells_across(s);
    for (int i = thread; i < TILE_ROWS * TILE_COLUMNS; i += threads) {
        const int column = i % TILE_COLUMNS, row = i / TILE_COLUMNS;
        const int x = block_x * TILE_COLUMNS + column, y = block_y * TILE_ROWS + row;
        if (x < width && y < cells_down(s)) {
            const T *own = row_of<T>(in.chroma, in.chroma_pitch, y) + 2 * x;
            unsigned short *out = s.restored_chroma + y * restored_pitch(2 * width) + 2 * x;
            const int weight = weight_of(y * width + x, s);
            for (int plane = 0; plane < 2; ++plane)
                out[plane] =
                    mixed_level(fixed_of(own[plane], colors.shift),
                                smoothed<false>(tiles.of[plane], column, row), weight, s.depth);
        }
    }
}

// The grid ----------------------------------------------------------------------------------------

// What was restored, as a picture; its levels have a fraction.
BOTH Picture restored_picture(const Restoring &s) {
    const int width = restored_pitch(s.width), pairs = restored_pitch(2 * cells_across(s));
    return {reinterpret_cast<unsigned char *>(s.restored_luma),
            reinterpret_cast<unsigned char *>(s.restored_chroma),
            2ll * width, 2ll * pairs, s.width, s.height};
}

// One of `threads` threads: its share of a row of chroma, of what was restored or of the frame itself.
template <class T>
BOTH void apply_restored_row(int thread, int threads, int chroma_row, const Picture &in,
                             const Colors &colors, const Restoring &s, const GridRow &table,
                             const Picture &out) {
    if (!s.plan->learns) {
        apply_row<T>(thread, threads, chroma_row, in, colors, table, out);
        return;
    }
    const int bits = s.depth < 10 ? 10 - s.depth : 0;
    const Reading reading = {0, bits, 1.0f / static_cast<float>(1 << bits)};
    apply_row<unsigned short, T>(thread, threads, chroma_row, restored_picture(s), reading, colors,
                                 table, out);
}

// Kernels -----------------------------------------------------------------------------------------

#ifdef __CUDACC__

#define RESTORING_KERNELS(T, BITS)                                                                 \
    extern "C" __global__ void halve_frame_##BITS(Picture in, Colors colors, Restoring s) {        \
        halve_frame<T>(blockIdx.x * blockDim.x + threadIdx.x, blockIdx.y, in, colors, s);          \
    }                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                              \
        learn_##BITS(Picture in, Colors colors, Restoring s) {                                     \
        __shared__ Changes changes;                                                                \
        compare_cells<T>(threadIdx.x, blockDim.x, blockIdx.x, blockIdx.y, in, colors, s, changes); \
        __syncthreads();                                                                           \
        learn_cell<T>(threadIdx.x, blockIdx.x, blockIdx.y, in, colors, s, changes);                \
    }                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                              \
        finish_luma_##BITS(Picture in, Colors colors, Restoring s) {                               \
        __shared__ Tile tile;                                                                      \
        load_luma(threadIdx.x, blockDim.x, blockIdx.x, blockIdx.y, s, tile);                       \
        __syncthreads();                                                                           \
        finish_luma<T>(threadIdx.x, blockDim.x, blockIdx.x, blockIdx.y, in, colors, s, tile);      \
    }                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                              \
        finish_chroma_##BITS(Picture in, Colors colors, Restoring s) {                             \
        __shared__ ChromaTiles tiles;                                                              \
        load_chroma(threadIdx.x, blockDim.x, blockIdx.x, blockIdx.y, s, tiles);                    \
        __syncthreads();                                                                           \
        finish_chroma<T>(threadIdx.x, blockDim.x, blockIdx.x, blockIdx.y, in, colors, s, tiles);   \
    }                                                                                              \
    extern "C" __global__ void __launch_bounds__(256, 5)                                           \
        apply_grid_to_restored_##BITS(Picture in, Colors colors, const float *grid,                \
                                      Picture out, Restoring s) {                                  \
        __shared__ GridRow table;                                                                  \
        interpolate_rows(threadIdx.x, blockDim.x, grid, blockIdx.x, in, table);                    \
        __syncthreads();                                                                           \
        apply_restored_row<T>(threadIdx.x, blockDim.x, blockIdx.x, in, colors, s, table, out);     \
    }

RESTORING_KERNELS(unsigned char, 8)
RESTORING_KERNELS(unsigned short, 16)

extern "C" __global__ void halve_known(int scale, Restoring s) {
    halve_known(blockIdx.x * blockDim.x + threadIdx.x, blockIdx.y, scale, s);
}

extern "C" __global__ void compare_means(Restoring s) {
    compare_means(blockIdx.x * blockDim.x + threadIdx.x, s);
}

extern "C" __global__ void find_medians(Restoring s) {
    find_medians(blockIdx.x * blockDim.x + threadIdx.x, s);
}

extern "C" __global__ void draw_light(Restoring s) {
    draw_light(blockIdx.x * blockDim.x + threadIdx.x, s);
}

extern "C" __global__ void relight_cells(Restoring s) {
    relight_cell(blockIdx.x * blockDim.x + threadIdx.x, blockIdx.y, s);
}

extern "C" __global__ void __launch_bounds__(TABLE)
    plan_restoring(const float *grid, FrameNoise noise, Restoring s) {
    __shared__ Planning planning;
    sum_cells(threadIdx.x, grid, planning);
    __syncthreads();
    average_cells(threadIdx.x, planning);
    __syncthreads();
    brighten_step(threadIdx.x, noise, planning);
    __syncthreads();
    plan_step(threadIdx.x, noise, planning, *s.plan);
    __syncthreads();
    sum_seen(threadIdx.x, planning);
    __syncthreads();
    decide(threadIdx.x, s, planning);
}

extern "C" __global__ void compare_wide(Restoring s) {
    compare_wide(blockIdx.x * blockDim.x + threadIdx.x, blockIdx.y, s);
}

extern "C" __global__ void judge_wide(Restoring s) {
    judge_wide(blockIdx.x * blockDim.x + threadIdx.x, blockIdx.y, s);
}

#define CORRECTING_KERNEL(NAME, SCALE)                                                  \
    extern "C" __global__ void __launch_bounds__(256) NAME(Restoring s) {               \
        __shared__ Tile tile;                                                           \
        load_coarse<SCALE>(threadIdx.x, blockDim.x, blockIdx.x, blockIdx.y, s, tile);   \
        __syncthreads();                                                                \
        correct<SCALE>(threadIdx.x, blockDim.x, blockIdx.x, blockIdx.y, s, tile);       \
    }

CORRECTING_KERNEL(correct_half, 0)
CORRECTING_KERNEL(correct_quarter, 1)
CORRECTING_KERNEL(correct_eighth, 2)

#endif

#endif
