// What of a frame is picture, within its bars and its circle: what the host looks for these in, and what
// lies around them. It is read after kernels.cu, by the same compilers. The host's part is the CPU
// path's own: black_bars.py and picture_circle.py in tapetum/realtime/cpu.

// What is seen of a frame ---------------------------------------------------------------------------

const int VIEW_SIDE = 64, CORNERS = 12;
const int BORDER_ROWS = 24, BORDER_COLUMNS = 48;

// Where line `i` of `count` lies on an axis; the outermost are among them: see `spread`, which has
// doubles, too.
BOTH int spread(int i, int count, int size) {
    if (i == count - 1) return size - 1;
    return static_cast<int>(i * (static_cast<double>(size - 1) / (count - 1)));
}

BOTH int view_side(int size) { return size < VIEW_SIDE ? size : VIEW_SIDE; }

// So many lines at a border may be no picture: see `lines_at_border`.
BOTH int at_border(int size, int part) {
    const int even = size / part / 2 * 2, lines = even > 4 ? even : 4;
    return lines < size ? lines : size - 1;
}

// Two rows of a plane, and two columns of one sample or of a pair of U and V.
struct Border {
    int width, height, step;
    int top, bottom, left, right;
};

// That of what lies so many rows and columns of luma within.
BOTH Border luma_border(const Picture &in, int rows, int columns) {
    return {in.width, in.height, 1, rows, in.height - 1 - rows, columns, in.width - 1 - columns};
}

BOTH Border chroma_border(const Picture &in, int rows, int columns) {
    const int bottom = chroma_height(in.height - rows) - 1;
    const int right = chroma_width(in.width - columns) - 1;
    return {2 * chroma_width(in.width), chroma_height(in.height), 2, rows / DOWN, bottom,
            2 * (columns / ACROSS), 2 * right};
}

BOTH int border_size(const Border &of) { return 2 * of.width + 2 * of.height * of.step; }

template <class T>
BOTH T border_sample(int i, unsigned char *plane, long long pitch, const Border &of) {
    if (i < 2 * of.width)
        return row_of<T>(plane, pitch, i < of.width ? of.top : of.bottom)[i % of.width];
    i -= 2 * of.width;
    const int column = i < of.height * of.step ? of.left : of.right;
    i %= of.height * of.step;
    return row_of<T>(plane, pitch, i / of.step)[column + i % of.step];
}

// How many samples `look_around` collects.
BOTH int samples_around(const Picture &in) {
    const int borders = border_size(luma_border(in, 0, 0)) + border_size(chroma_border(in, 0, 0));
    return view_side(in.width) * view_side(in.height) + 2 * borders;
}

// One thread: a sample of the view; or of luma's border, or within it, or of chroma's, one after
// another; or a channel of a corner of the thumbnail.
template <class T>
BOTH void look_around(int i, const Picture &in, const float *thumbnail, float *corners,
                      T *samples) {
    if (i < CORNERS) {
        const int last = THUMBNAIL - 1, channel = i / 4, row = i / 2 % 2, column = i % 2;
        corners[i] = thumbnail[(channel * THUMBNAIL + row * last) * THUMBNAIL + column * last];
        return;
    }
    i -= CORNERS;
    if (i >= samples_around(in)) return;
    const int across = view_side(in.width), down = view_side(in.height), view = across * down;
    if (i < view) {
        const T *row = row_of<T>(in.luma, in.luma_pitch, spread(i / across, down, in.height));
        samples[i] = row[spread(i % across, across, in.width)];
        return;
    }
    const int luma = border_size(luma_border(in, 0, 0));
    const int chroma = border_size(chroma_border(in, 0, 0));
    const bool of_luma = i - view < 2 * luma;
    const int at = of_luma ? i - view : i - view - 2 * luma;
    const bool within = at >= (of_luma ? luma : chroma);
    const int rows = within ? at_border(in.height, BORDER_ROWS) : 0;
    const int columns = within ? at_border(in.width, BORDER_COLUMNS) : 0;
    samples[i] = of_luma ? border_sample<T>(at % luma, in.luma, in.luma_pitch,
                                            luma_border(in, rows, columns))
                         : border_sample<T>(at % chroma, in.chroma, in.chroma_pitch,
                                            chroma_border(in, rows, columns));
}

// Around a round picture ----------------------------------------------------------------------------

// Ellipses in pixels of the thumbnail: centre and radii, across and down.
struct Circles {
    int count;
    float x[2], y[2], radius_x[2], radius_y[2];
};

// Whether a sample of a plane lies outside of all.
BOTH bool is_outside(int x, int y, int width, int height, const Circles &circles) {
    const float across = (static_cast<float>(x) + 0.5f) / width * THUMBNAIL - 0.5f;
    const float down = (static_cast<float>(y) + 0.5f) / height * THUMBNAIL - 0.5f;
    for (int i = 0; i < circles.count; ++i) {
        const float right = (across - circles.x[i]) / circles.radius_x[i];
        const float below = (down - circles.y[i]) / circles.radius_y[i];
        if (right * right + below * below <= 1) return false;
    }
    return true;
}

// One thread: a pixel, and the chroma that begins at it, as they were where they lie outside.
template <class T>
BOTH void keep_outside(int x, int y, const Picture &in, const Circles &circles,
                       const Picture &out) {
    if (x >= in.width) return;
    if (is_outside(x, y, in.width, in.height, circles))
        row_of<T>(out.luma, out.luma_pitch, y)[x] = row_of<T>(in.luma, in.luma_pitch, y)[x];
    if (x % ACROSS || y % DOWN) return;
    const int pair = x / ACROSS, row = y / DOWN;
    if (!is_outside(pair, row, chroma_width(in.width), chroma_height(in.height), circles)) return;
    const T *from = row_of<T>(in.chroma, in.chroma_pitch, row) + 2 * pair;
    T *to = row_of<T>(out.chroma, out.chroma_pitch, row) + 2 * pair;
    to[0] = from[0];
    to[1] = from[1];
}

#ifdef __CUDACC__

#define EDGE_KERNELS(T, BITS)                                                                     \
    extern "C" __global__ void NAMED(look_around, CHROMA, BITS)(                                  \
        Picture in, const float *thumbnail, float *corners, T *samples) {                         \
        look_around<T>(blockIdx.x * blockDim.x + threadIdx.x, in, thumbnail, corners, samples);   \
    }                                                                                             \
    extern "C" __global__ void NAMED(keep_outside, CHROMA, BITS)(Picture in, Circles circles,     \
                                                                 Picture out) {                   \
        keep_outside<T>(blockIdx.x * blockDim.x + threadIdx.x, blockIdx.y, in, circles, out);     \
    }

EDGE_KERNELS(unsigned char, 8)
EDGE_KERNELS(unsigned short, 16)

#endif
