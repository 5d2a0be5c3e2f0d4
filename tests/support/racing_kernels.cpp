// Runs the CUDA kernels on the host with real threads, for ThreadSanitizer and AddressSanitizer: the
// threads of a block side by side, with their barriers, or blocks side by side. A barrier may be
// left out. Memory is as large as the kernels are told, to the byte.

#include "kernels.cu"
#include "picture_edges.cu"
#include "steady_grid.cu"
#include "restoring.cu"
#include "grid_fit.cu"

#include <atomic>
#include <cstdlib>
#include <deque>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {
constexpr int WORKERS = 4, WIDTH = 98, HEIGHT = 66, GAP = 6, GRID_SIZE = 8 * NODES;
int left_out = -1;
bool side_by_side = true;

// Each barrier has a counter of its own: one that all shared would order what only the barrier that
// is left out orders.
class Barriers {
public:
    explicit Barriers(std::size_t count) : arrived_(count) {}
    void wait(int number) {
        auto &arrived = arrived_[number];
        arrived.fetch_add(1);
        while (arrived.load() < WORKERS) std::this_thread::yield();
    }

private:
    std::vector<std::atomic<int>> arrived_;
};

using Phase = std::function<void(int)>;

void workers(const std::function<void(int)> &work) {
    std::vector<std::thread> all;
    for (int worker = 0; worker < WORKERS; ++worker) all.emplace_back(work, worker);
    for (auto &thread : all) thread.join();
}

// What the threads of one block do, from barrier to barrier.
void block(int threads, const std::vector<Phase> &phases) {
    if (!side_by_side) {
        for (const auto &phase : phases)
            for (int thread = 0; thread < threads; ++thread) phase(thread);
        return;
    }
    Barriers barriers(phases.size());
    workers([&](int worker) {
        for (int number = 0; number < static_cast<int>(phases.size()); ++number) {
            for (int thread = worker; thread < threads; thread += WORKERS) phases[number](thread);
            if (number != left_out) barriers.wait(number);
        }
    });
}

void blocks(int count, const std::function<void(int)> &run) {
    if (side_by_side) {
        for (int number = 0; number < count; ++number) run(number);
        return;
    }
    workers([&](int worker) {
        for (int number = worker; number < count; number += WORKERS) run(number);
    });
}

template <class T>
struct Frame {
    std::vector<T> luma, chroma;
    Picture picture;

    explicit Frame(unsigned seed)
        : luma((WIDTH + GAP) * (HEIGHT - 1) + WIDTH),
          chroma((2 * chroma_width(WIDTH) + GAP) * (chroma_height(HEIGHT) - 1) +
                 2 * chroma_width(WIDTH)) {
        std::mt19937 random(seed);
        for (auto *plane : {&luma, &chroma})
            for (auto &sample : *plane) sample = static_cast<T>(random());
        const long long across = sizeof(T) * (WIDTH + GAP);
        const long long chroma_across = sizeof(T) * (2 * chroma_width(WIDTH) + GAP);
        picture = {reinterpret_cast<unsigned char *>(luma.data()),
                   reinterpret_cast<unsigned char *>(chroma.data()),
                   across, chroma_across, WIDTH, HEIGHT};
    }
};

std::vector<float> numbers(std::size_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<float> made(count);
    for (auto &value : made) value = std::uniform_real_distribution<float>(0.1f, 1)(random);
    return made;
}

const Colors COLORS{0, 1, 0, 16, 219, 128, 224, 0, 255, 0, 255, 0.2126f, 0.0722f};

template <class T>
void apply() {
    Frame<T> in(1), out(2);
    const auto grid = numbers(GRID_SIZE, 3);
    blocks(chroma_height(HEIGHT), [&](int row) {
        GridRow table;
        const auto expand = [&](int thread) {
            interpolate_rows(thread, 256, grid.data(), row, in.picture, table);
        };
        const auto brighten = [&](int thread) {
            apply_row<T>(thread, 256, row, in.picture, COLORS, table, out.picture);
        };
        block(256, {expand, brighten});
    });
}

template <class T>
void reduce() {
    Frame<T> in(1);
    std::vector<float> out(3 * THUMBNAIL * THUMBNAIL);
    const int chroma = 2 * chroma_width(WIDTH);
    const int shared = WIDTH / 8 + 12 + chroma / 8 + 36;  // thumbnail_shared_bytes, in words
    const int across = THUMBNAIL / BLOCK_BINS;
    blocks(across * THUMBNAIL, [&](int number) {
        if (side_by_side && number % 97) return;  // real threads are slow to start
        std::vector<unsigned> sums(shared);
        const int column = number % across, row = number / across;
        const auto sum = [&](int thread) {
            sum_bins<T>(thread, 128, column, row, in.picture, sums.data());
        };
        const auto write = [&](int thread) {
            write_thumbnail(thread, column, row, in.picture, COLORS, sums.data(), out.data());
        };
        block(128, {sum, write});
    });
}

void smooth(float brightness) {
    const auto thumbnail = numbers(3 * THUMBNAIL * THUMBNAIL, 1), grid = numbers(GRID_SIZE, 2);
    auto old = numbers(GRID_SIZE, 3), scene = numbers(VIEW_SIZE, 4), view = numbers(VIEW_SIZE, 5);
    std::vector<float> fault(2), applied(GRID_SIZE), made(GRID_SIZE), new_scene(VIEW_SIZE),
        new_view(VIEW_SIZE);
    const Smoothing by{0.04f, 0.3f, 0.1f, 0.5f, 0.05f, 0, 1, brightness, 1.5f};
    const Past past{old.data(), scene.data(), view.data()};
    const Past next{made.data(), new_scene.data(), new_view.data()};
    Views views;
    Darkness cells;
    Trials trials;
    const auto look = [&](int i) {
        view_pixel(i, thumbnail.data(), views);
        look_at_cell(i, thumbnail.data(), cells);
    };
    const auto sum = [&](int i) {
        sum_view_row(i, past, views), rank_cell(i, cells);
        if (by.brightness) try_strengths(i, VIEW_SIZE, grid.data(), cells, trials);
    };
    const auto average = [&](int i) {
        average_view(i, views), darken_cell(i, cells), sum_trials(i, trials);
    };
    const auto find = [&](int i) { find_large(i, cells), average_trials(i, trials); };
    const auto grow = [&](int i) { grow_cell(i, cells), choose_strength(i, brightness, trials); };
    const auto share = [&](int i) { share_cell(i, cells); };
    const auto finish = [&](int i) {
        smooth(i, grid.data(), by, past, next, views, cells, trials, applied.data(),
               fault.data());
    };
    block(VIEW_SIZE, {look, sum, average, find, grow, share, finish});
}

template <class T>
void convert() {
    Frame<T> in(1), out(2);
    const int width = 112, height = 80;
    std::vector<Half> samples(3 * width * height);
    const Tensor tensor{samples.data(), width, height, 7, 7};
    blocks(height, [&](int row) {
        block(256, {[&](int thread) {
            planes_to_rgb<T>(thread, row, in.picture, COLORS, tensor);
        }});
    });
    std::vector<float> fault(2);
    blocks(chroma_height(HEIGHT), [&](int row) {
        block(256, {[&](int thread) {
            change_to_planes<T>(thread, row, in.picture, COLORS, tensor, 1, out.picture,
                                fault.data());
        }});
    });
}

// The kernels around a picture, whose threads do not meet.
template <class T>
void surround() {
    Frame<T> in(1), out(2);
    const auto thumbnail = numbers(3 * THUMBNAIL * THUMBNAIL, 1);
    const int count = samples_around(in.picture);
    std::vector<T> samples(count);
    std::vector<float> corners(CORNERS);
    blocks((CORNERS + count + 127) / 128, [&](int number) {
        block(128, {[&](int thread) {
            look_around<T>(128 * number + thread, in.picture, thumbnail.data(), corners.data(),
                           samples.data());
        }});
    });
    const Circles circles{2, {60, 190}, {128, 120}, {50, 55}, {90, 100}};
    blocks(HEIGHT, [&](int row) {
        block(128, {[&](int thread) {
            keep_outside<T>(thread, row, in.picture, circles, out.picture);
        }});
    });
}

void fit() {
    const auto thumbnail = numbers(3 * THUMBNAIL * THUMBNAIL, 1), light = numbers(GRID_SIZE, 2);
    std::vector<float> before(3 * REDUCED_SIZE), sums(NODES * TERMS), grid(GRID_SIZE);
    std::vector<Half> after(3 * REDUCED_SIZE);
    const Reduced small{before.data(), after.data(), light.data()};
    blocks(REDUCED_SIZE / 128, [&](int number) {
        block(128, {[&](int thread) { reduce_pixel(128 * number + thread, thumbnail.data(), small); }});
    });
    blocks(CELL_COUNT, [&](int cell) {
        std::vector<Sample> samples(SQUARE);
        const auto take = [&](int i) { take_sample(i, cell, small, samples[i]); };
        const auto sum = [&](int i) { sum_node(i, cell, samples.data(), sums.data()); };
        block(SQUARE, {take, sum});
    });
}

void solve() {
    const auto sums = numbers(NODES * TERMS, 1);
    std::vector<float> grid(GRID_SIZE);
    Pooled pooled;
    const auto level = [&](int i) { average_level(i, sums.data(), pooled); };
    // Another worker than the one that made what it reads.
    const auto whole = [&](int i) { average_whole((i + 1) % 1024, pooled); };
    const auto finish = [&](int i) {
        for (int node = i; node < NODES; node += 1024)
            solve_node(node, sums.data(), pooled, grid.data());
    };
    block(1024, {level, whole, finish});
}

// What is known of a stream, in memory of its own for each plane.
class Stream {
public:
    Stream() {
        const int width = chroma_width(WIDTH), height = chroma_height(HEIGHT);
        const int quarter_w = halved(width), quarter_h = halved(height);
        s.width = WIDTH, s.height = HEIGHT, s.depth = 8, s.every = 1;
        s.black = 16 << 7, s.mean_lean = 0.4f, s.wide_lean = 0.1f;
        s.chroma_noise[0] = s.chroma_noise[1] = 300;
        for (auto &plane : s.factors)
            for (auto &factor : plane) factor = 0.5f;
        s.luma = plane(2 * width, HEIGHT);
        for (Fixed **each : {&s.known, &s.new_known, &s.chroma[0], &s.chroma[1], &s.new_chroma[0],
                             &s.new_chroma[1], &s.half, &s.last, &s.remains, &s.deviation, &s.change})
            *each = plane(width, height);
        for (auto *each : {s.coarse, s.coarse_change})
            for (int i = 0; i < 3; ++i) {
                each[0][i] = plane(quarter_w, quarter_h);
                each[1][i] = plane(halved(quarter_w), halved(quarter_h));
            }
        evidence_.assign(width * height, 5 * ONE_FRAME);
        wide_.resize((BLOCK_MEANS + 2) * wide_rows(s) * wide_columns(s));
        restored_.resize(restored_pitch(WIDTH) * HEIGHT);
        restored_chroma_.resize(restored_pitch(2 * width) * height);
        means_.resize(2 * light_count(s)), places_.resize(light_count(s));
        s.wide = wide_.data(), s.flatness = s.wide + wide_rows(s) * wide_columns(s);
        s.blocks = s.flatness + wide_rows(s) * wide_columns(s), s.evidence = evidence_.data();
        s.means = means_.data(), s.places = places_.data();
        s.restored_luma = restored_.data(), s.restored_chroma = restored_chroma_.data();
        plan_.learns = 1;
        for (auto &quiet : plan_.quiet) quiet = 1 / 300.0f;
        s.plan = &plan_, s.light = &light_;
    }
    Restoring s{};

private:
    Fixed *plane(int width, int height) {
        auto &made = planes_.emplace_back(width * height);
        for (std::size_t i = 0; i < made.size(); ++i) made[i] = 4000 + 97 * i % 3000;
        return made.data();
    }
    std::deque<std::vector<Fixed>> planes_;
    std::vector<unsigned char> evidence_;
    std::vector<float> wide_, means_;
    std::vector<int> places_;
    std::vector<unsigned short> restored_, restored_chroma_;
    Plan plan_{};
    Light light_{};
};

int parts(int size, int part) { return (size + part - 1) / part; }

// Blocks of so many columns and rows of samples.
void tiles(int width, int height, int columns, int rows, const std::function<void(int, int)> &run) {
    const int across = parts(width, columns);
    blocks(across * parts(height, rows), [&](int i) { run(i % across, i / across); });
}

template <class T>
void learn() {
    Frame<T> in(1);
    Stream stream;
    const Restoring &s = stream.s;
    tiles(cells_across(s), cells_down(s), LEARNT_COLUMNS, LEARNT_ROWS, [&](int x, int y) {
        Changes changes;
        const auto compare = [&](int i) {
            compare_cells<T>(i, 256, x, y, in.picture, COLORS, s, changes);
        };
        const auto take = [&](int i) { learn_cell<T>(i, x, y, in.picture, COLORS, s, changes); };
        block(256, {compare, take});
    });
}

template <int SCALE>
void correct_scale(const Restoring &s) {
    int width = cells_across(s), height = cells_down(s);
    for (int i = 0; i < SCALE; ++i) width = halved(width), height = halved(height);
    const int planes = SCALE == 0 ? 1 : 3;
    tiles(width, planes * parts(height, TILE_ROWS), TILE_COLUMNS, 1, [&](int x, int y) {
        Tile tile;
        const auto load = [&](int i) { load_coarse<SCALE>(i, 256, x, y, s, tile); };
        const auto change = [&](int i) { correct<SCALE>(i, 256, x, y, s, tile); };
        block(256, {load, change});
    });
}

template <class T>
void finish() {
    Frame<T> in(1);
    Stream stream;
    const Restoring &s = stream.s;
    tiles(WIDTH, HEIGHT, TILE_COLUMNS, TILE_ROWS, [&](int x, int y) {
        Tile tile;
        const auto load = [&](int i) { load_luma(i, 256, x, y, s, tile); };
        const auto mix = [&](int i) { finish_luma<T>(i, 256, x, y, in.picture, COLORS, s, tile); };
        block(256, {load, mix});
    });
    tiles(cells_across(s), cells_down(s), TILE_COLUMNS, TILE_ROWS, [&](int x, int y) {
        ChromaTiles tiles;
        const auto load = [&](int i) { load_chroma(i, 256, x, y, s, tiles); };
        const auto mix = [&](int i) {
            finish_chroma<T>(i, 256, x, y, in.picture, COLORS, s, tiles);
        };
        block(256, {load, mix});
    });
}

template <class T>
void apply_restored() {
    Frame<T> in(1), out(2);
    Stream stream;
    const auto grid = numbers(GRID_SIZE, 3);
    blocks(chroma_height(HEIGHT), [&](int row) {
        GridRow table;
        const auto expand = [&](int thread) {
            interpolate_rows(thread, 256, grid.data(), row, in.picture, table);
        };
        const auto brighten = [&](int thread) {
            apply_restored_row<T>(thread, 256, row, in.picture, COLORS, stream.s, table,
                                  out.picture);
        };
        block(256, {expand, brighten});
    });
}

void plan() {
    Stream stream;
    const auto grid = numbers(GRID_SIZE, 3);
    FrameNoise noise{};
    for (int i = 0; i < TABLE; ++i) noise.luma[i] = 200, noise.seen[i] = 1.0f / TABLE;
    noise.floor = 18, noise.black = 16, noise.span = 219, noise.careful = noise.sure = 1;
    Planning planning;
    block(TABLE, {[&](int i) { sum_cells(i, grid.data(), planning); },
                  [&](int i) { average_cells(i, planning); },
                  [&](int i) { brighten_step(i, noise, planning); },
                  [&](int i) { plan_step(i, noise, planning, *stream.s.plan); },
                  [&](int i) { sum_seen(i, planning); },
                  [&](int i) { decide(i, stream.s, planning); }});
}

// The kernels whose threads do not meet.
template <class T>
void follow() {
    Frame<T> in(1);
    Stream stream;
    const Restoring &s = stream.s;
    const int width = cells_across(s), height = cells_down(s);
    const auto rows = [&](int count, const std::function<void(int, int)> &run) {
        blocks(count, [&](int y) { block(width, {[&](int x) { run(x, y); }}); });
    };
    rows(height, [&](int x, int y) { halve_frame<T>(x, y, in.picture, COLORS, s); });
    rows(1, [&](int i, int) { compare_means(i, s); });
    rows(1, [&](int i, int) { find_medians(i, s); });
    blocks(1, [&](int) { block(TABLE + 1, {[&](int i) { draw_light(i, s); }}); });
    s.light->changed = 1;
    rows(height, [&](int x, int y) { relight_cell(x, y, s); });
    rows(parts(height, WIDE), [&](int x, int y) { compare_wide(x, y, s); });
    rows(parts(height, WIDE), [&](int x, int y) { judge_wide(x, y, s); });
    rows(3 * halved(height), [&](int x, int y) { halve_known(x, y, 0, s); });
    rows(3 * halved(halved(height)), [&](int x, int y) { halve_known(x, y, 1, s); });
}
}  // namespace

int main(int count, char **given) {
    const std::string kernel = given[1];
    side_by_side = std::string(given[2]) == "threads";
    if (count > 3) left_out = std::atoi(given[3]);
    if (kernel == "apply_grid") apply<unsigned char>(), apply<unsigned short>();
    if (kernel == "thumbnail") reduce<unsigned char>(), reduce<unsigned short>();
    if (kernel == "smooth_grid") smooth(0), smooth(0.4f);
    if (kernel == "fit_sum") fit();
    if (kernel == "fit_solve") solve();
    if (kernel == "edges") surround<unsigned char>(), surround<unsigned short>();
    if (kernel == "rgb") convert<unsigned char>(), convert<unsigned short>();
    if (kernel == "learn") learn<unsigned char>(), learn<unsigned short>();
    if (kernel == "correct") {
        Stream stream;
        correct_scale<2>(stream.s), correct_scale<1>(stream.s), correct_scale<0>(stream.s);
    }
    if (kernel == "finish") finish<unsigned char>(), finish<unsigned short>();
    if (kernel == "apply_restored") {
        apply_restored<unsigned char>(), apply_restored<unsigned short>();
    }
    if (kernel == "plan") plan();
    if (kernel == "follow") follow<unsigned char>(), follow<unsigned short>();
    return 0;
}
