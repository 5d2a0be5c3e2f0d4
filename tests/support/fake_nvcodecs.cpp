// Stands in for NVIDIA's libnvcuvid.so.1 and libnvidia-encode.so.1 in tests, behind FFmpeg's own
// code. It decodes and encodes nothing but H.264 of 8 bits and HEVC of 8 and 10, of uncompressed
// blocks (PCM), in which a file comes out bit for bit as it went in. Both work in threads of their
// own. What it is strict about is what FFmpeg and its callers have to mind: how many surfaces there
// are and who holds them, pitches, contexts, and that NVENC reads a picture at any time from when it
// gets it until its packet is asked for: one that changes meanwhile comes out white. Steps at
// which NVENC refuses are named by the environment.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <map>
#include <set>
#include <string>
#include <vector>

extern "C" int cuCtxGetDevice(int* device);  // of the driver that is loaded

namespace {
using Bytes = std::vector<std::uint8_t>;
constexpr int SUCCESS = 0, NOT_READY = 600, INVALID_VALUE = 1, INVALID_CONTEXT = 201;
constexpr int BLOCK = 16, SAMPLES = 384, FRAME_NUMBER_BITS = 4;  // samples of a block, all planes

// Bits --------------------------------------------------------------------------------------------

class BitWriter {
public:
    void bits(std::uint32_t value, int count) {
        for (int bit = count - 1; bit >= 0; --bit) put(value >> bit & 1);
    }
    void ue(std::uint32_t value) {
        int length = 0;
        for (std::uint32_t rest = value + 1; rest > 1; rest >>= 1) ++length;
        bits(0, length);
        bits(value + 1, length + 1);
    }
    void align(int fill = 0) {
        while (used_ % 8) put(fill);
    }
    void byte(std::uint8_t value) { data_.push_back(value), used_ += 8; }
    void stop() { put(1), align(); }
    void bytes(const Bytes& given) {
        for (auto value : given) byte(value);
    }
    const Bytes& data() const { return data_; }

private:
    void put(int bit) {
        if (used_ % 8 == 0) data_.push_back(0);
        data_.back() |= bit << (7 - used_++ % 8);
    }
    Bytes data_;
    std::size_t used_ = 0;
};

class BitReader {
public:
    explicit BitReader(const Bytes& data) : data_(data) {}
    std::uint32_t bits(int count) {
        std::uint32_t value = 0;
        while (count--) value = value << 1 | bit();
        return value;
    }
    std::uint32_t ue() {
        int zeros = 0;
        while (!bit() && zeros < 32) ++zeros;
        return (1u << zeros) - 1 + bits(zeros);
    }
    // Go to the next whole byte; whether as many more are there.
    bool align(std::size_t count) {
        used_ = (used_ + 7) / 8 * 8;
        return used_ / 8 + count <= data_.size();
    }

private:
    int bit() {
        if (used_ / 8 >= data_.size()) return 1;
        int value = data_[used_ / 8] >> (7 - used_ % 8) & 1;
        ++used_;
        return value;
    }
    const Bytes& data_;
    std::size_t used_ = 0;
};

void append_unit(Bytes& stream, const Bytes& header, const Bytes& payload) {
    stream.insert(stream.end(), {0, 0, 0, 1});
    stream.insert(stream.end(), header.begin(), header.end());
    int zeros = 0;
    for (auto value : payload) {
        if (zeros == 2 && value <= 3) stream.push_back(3), zeros = 0;
        stream.push_back(value);
        zeros = value ? 0 : zeros + 1;
    }
}

Bytes without_escapes(const std::uint8_t* data, std::size_t size) {
    Bytes plain;
    int zeros = 0;
    for (std::size_t place = 0; place < size; ++place) {
        if (zeros == 2 && data[place] == 3) {
            zeros = 0;
            continue;
        }
        plain.push_back(data[place]);
        zeros = data[place] ? 0 : zeros + 1;
    }
    return plain;
}

// Pictures ----------------------------------------------------------------------------------------

// NV12, or P010 where samples are deeper than 8 bits: they are the upper bits of words there.
struct Picture {
    std::uint8_t *luma, *chroma;
    std::size_t pitch;
    int width, height, depth;

    int sample_bytes() const { return depth > 8 ? 2 : 1; }
    int get(const std::uint8_t* plane, int row, int column) const {
        const auto* here = plane + row * pitch + column * sample_bytes();
        return depth > 8 ? (here[0] | here[1] << 8) >> (16 - depth) : here[0];
    }
    void set(std::uint8_t* plane, int row, int column, int value) const {
        auto* here = plane + row * pitch + column * sample_bytes();
        if (depth > 8) value <<= 16 - depth, here[1] = value >> 8;
        here[0] = value & 255;
    }
    // The samples of a block as it lies in a stream: luma, U, V; beyond the edge the nearest ones.
    std::vector<int> block(int top, int left) const {
        std::vector<int> samples;
        for (int place = 0; place < 256; ++place)
            samples.push_back(get(luma, std::min(top + place / 16, height - 1),
                                  std::min(left + place % 16, width - 1)));
        for (int place = 0; place < 128; ++place)
            samples.push_back(
                get(chroma, std::min(top / 2 + place % 64 / 8, height / 2 - 1),
                    2 * std::min(left / 2 + place % 8, width / 2 - 1) + place / 64));
        return samples;
    }
    void put_block(int top, int left, BitReader& from) const {
        for (int place = 0; place < 256; ++place)
            set(luma, top + place / 16, left + place % 16, from.bits(depth));
        for (int place = 0; place < 128; ++place)
            set(chroma, top / 2 + place % 64 / 8, 2 * (left / 2 + place % 8) + place / 64,
                from.bits(depth));
    }
    std::size_t size() const { return pitch * height * 3 / 2; }
};

// H.264 of uncompressed blocks --------------------------------------------------------------------

Bytes h264_sets(int width, int height) {
    int across = (width + BLOCK - 1) / BLOCK, down = (height + BLOCK - 1) / BLOCK;
    BitWriter sequence;
    sequence.bits(66, 8), sequence.bits(0xC0, 8), sequence.bits(40, 8);  // profile, level
    sequence.ue(0), sequence.ue(FRAME_NUMBER_BITS - 4), sequence.ue(2);  // id, order of showing
    sequence.ue(1), sequence.bits(0, 1);                                 // reference frames
    sequence.ue(across - 1), sequence.ue(down - 1);
    sequence.bits(1, 1), sequence.bits(1, 1);  // frames, direct 8x8
    sequence.bits(1, 1);                       // cropped
    sequence.ue(0), sequence.ue((across * BLOCK - width) / 2);
    sequence.ue(0), sequence.ue((down * BLOCK - height) / 2);
    sequence.bits(0, 1), sequence.stop();
    BitWriter picture;
    picture.ue(0), picture.ue(0), picture.bits(0, 2);  // ids, CAVLC
    picture.ue(0), picture.ue(0), picture.ue(0), picture.bits(0, 3);
    picture.ue(0), picture.ue(0), picture.ue(0);            // quantisers
    picture.bits(1, 1), picture.bits(0, 2), picture.stop();  // deblocking is said
    Bytes stream;
    append_unit(stream, {0x67}, sequence.data());
    append_unit(stream, {0x68}, picture.data());
    return stream;
}

void append_h264(Bytes& stream, const Picture& picture, unsigned number) {
    BitWriter slice;
    slice.ue(0), slice.ue(7), slice.ue(0), slice.bits(0, FRAME_NUMBER_BITS);
    slice.ue(number % 2), slice.bits(0, 2), slice.ue(0), slice.ue(1);  // no deblocking
    for (int top = 0; top < picture.height; top += BLOCK)
        for (int left = 0; left < picture.width; left += BLOCK) {
            slice.ue(25), slice.align();
            for (int value : picture.block(top, left)) slice.byte(value);
        }
    slice.stop();
    append_unit(stream, {0x65}, slice.data());
}

bool decode_h264(const Bytes& plain, const Picture& into) {
    BitReader slice(plain);
    if (slice.ue() != 0 || slice.ue() != 7) return false;
    slice.ue(), slice.bits(FRAME_NUMBER_BITS), slice.ue(), slice.bits(2), slice.ue(), slice.ue();
    for (int top = 0; top < into.height; top += BLOCK)
        for (int left = 0; left < into.width; left += BLOCK) {
            if (slice.ue() != 25 || !slice.align(SAMPLES)) return false;
            into.put_block(top, left, slice);
        }
    return true;
}

// HEVC of uncompressed blocks ---------------------------------------------------------------------

// What the arithmetic coder (9.3.4 of H.265) makes of what stands before a block's samples: that the
// slice has not ended, that the block is whole, and that it is uncompressed.
class BlockHeads {
public:
    Bytes next() {
        BitWriter out;
        int low = 0, range = state_ < 0 ? 510 : 508;  // 2 less after "the slice has not ended"
        state_ = std::min(state_ + 1, 62);
        range -= LEAST_PROBABLE[state_];
        flush(out, low + range - 2);
        return out.data();
    }
    static Bytes end() {
        BitWriter out;
        flush(out, 510 - 2);
        return out.data();
    }

private:
    // The interval of the value that a flag was coded with, in ranges from 448 on.
    static constexpr int LEAST_PROBABLE[63] = {
        240, 227, 216, 205, 195, 185, 175, 166, 158, 150, 142, 135, 128, 122, 116, 110,
        104, 99,  94,  89,  85,  80,  76,  72,  69,  65,  62,  59,  56,  53,  50,  48,
        45,  43,  41,  39,  37,  35,  33,  31,  30,  28,  27,  25,  24,  23,  22,  21,
        20,  19,  18,  17,  16,  15,  14,  14,  13,  12,  12,  11,  11,  10,  9};
    // Nothing was written before: 10 bits of `low` are left, the first of which is never written,
    // and the last is 1.
    static void flush(BitWriter& out, int low) {
        low <<= 7;  // `range` is 2, which becomes 256
        out.bits(low >> 9 & 127, 7);
        out.bits((low >> 7 & 3) | 1, 2);
        out.align();
    }
    int state_ = -1;
};

void profile_tier_level(BitWriter& to, int depth) {
    int profile = depth > 8 ? 2 : 1;
    to.bits(profile, 8), to.bits(depth > 8 ? 0x20000000 : 0x60000000, 32);
    to.bits(9, 4), to.bits(0, 32), to.bits(0, 12), to.bits(120, 8);
}

Bytes hevc_sets(int width, int height, int depth) {
    int across = (width + BLOCK - 1) / BLOCK * BLOCK, down = (height + BLOCK - 1) / BLOCK * BLOCK;
    BitWriter video;
    video.bits(0, 4), video.bits(3, 2), video.bits(0, 9), video.bits(1, 1), video.bits(0xFFFF, 16);
    profile_tier_level(video, depth);
    video.bits(1, 1), video.ue(0), video.ue(0), video.ue(0);  // pictures that are kept
    video.bits(0, 6), video.ue(0), video.bits(0, 2), video.stop();
    BitWriter sequence;
    sequence.bits(0, 7), sequence.bits(1, 1);
    profile_tier_level(sequence, depth);
    sequence.ue(0), sequence.ue(1), sequence.ue(across), sequence.ue(down);
    sequence.bits(1, 1), sequence.ue(0), sequence.ue((across - width) / 2);  // cropped
    sequence.ue(0), sequence.ue((down - height) / 2);
    sequence.ue(depth - 8), sequence.ue(depth - 8), sequence.ue(4);
    sequence.bits(1, 1), sequence.ue(0), sequence.ue(0), sequence.ue(0);
    sequence.ue(1), sequence.ue(0);                  // blocks of 16x16
    sequence.ue(0), sequence.ue(2), sequence.ue(0), sequence.ue(0);  // transforms
    sequence.bits(0, 3), sequence.bits(1, 1);        // no lists, no filter; uncompressed blocks
    sequence.bits(depth - 1, 4), sequence.bits(depth - 1, 4), sequence.ue(1), sequence.ue(0);
    sequence.bits(1, 1), sequence.ue(0);             // unfiltered; sets of reference pictures
    sequence.bits(0, 5), sequence.stop();
    BitWriter picture;
    picture.ue(0), picture.ue(0), picture.bits(0, 7), picture.ue(0), picture.ue(0);
    picture.ue(0), picture.bits(0, 3), picture.ue(0), picture.ue(0);  // quantisers
    picture.bits(0, 7), picture.bits(1, 1), picture.bits(1, 2);       // no deblocking
    picture.bits(0, 2), picture.ue(0), picture.bits(0, 2), picture.stop();
    Bytes stream;
    append_unit(stream, {0x40, 1}, video.data());
    append_unit(stream, {0x42, 1}, sequence.data());
    append_unit(stream, {0x44, 1}, picture.data());
    return stream;
}

void append_hevc(Bytes& stream, const Picture& picture) {
    BitWriter slice;
    slice.bits(2, 2), slice.ue(0), slice.ue(2), slice.ue(0), slice.stop();
    BlockHeads heads;
    for (int top = 0; top < picture.height; top += BLOCK)
        for (int left = 0; left < picture.width; left += BLOCK) {
            slice.bytes(heads.next());
            for (int value : picture.block(top, left)) slice.bits(value, picture.depth);
        }
    slice.bytes(BlockHeads::end());
    append_unit(stream, {0x26, 1}, slice.data());
}

bool decode_hevc(const Bytes& plain, const Picture& into) {
    BitReader slice(plain);
    if (slice.bits(2) != 2 || slice.ue() != 0 || slice.ue() != 2 || slice.ue() != 0) return false;
    slice.bits(1);
    BlockHeads heads;
    for (int top = 0; top < into.height; top += BLOCK)
        for (int left = 0; left < into.width; left += BLOCK) {
            Bytes head = heads.next();
            if (!slice.align(head.size() + SAMPLES * into.depth / 8)) return false;
            for (auto value : head)
                if (slice.bits(8) != value) return false;
            into.put_block(top, left, slice);
        }
    return true;
}

enum class Codec { H264, HEVC };

Bytes parameter_sets(Codec codec, int width, int height, int depth) {
    return codec == Codec::H264 ? h264_sets(width, height) : hevc_sets(width, height, depth);
}

bool decode(Codec codec, const Bytes& unit, const Picture& into) {
    const auto* data = unit.data();
    std::size_t size = unit.size();
    while (size > 3 && !(data[0] == 0 && data[1] == 0 && data[2] == 1)) ++data, --size;
    if (size < 6) return false;
    if (codec == Codec::H264)
        return (data[3] & 31) == 5 && decode_h264(without_escapes(data + 4, size - 4), into);
    return (data[3] >> 1 & 63) == 19 && decode_hevc(without_escapes(data + 5, size - 5), into);
}

bool refuses(const char* step) {
    static std::map<std::string, int> calls;
    const char* named = std::getenv("FAKE_NVENC_REFUSES");
    if (!named) return false;
    std::string wanted = named, name = wanted.substr(0, wanted.find(':'));
    int at = name.size() < wanted.size() ? std::atoi(wanted.c_str() + name.size() + 1) : 1;
    return name == step && ++calls[name] >= at;
}

bool has_context() {
    int device;
    return cuCtxGetDevice(&device) == SUCCESS;
}
}  // namespace

// libnvcuvid --------------------------------------------------------------------------------------

namespace {
struct Surface {
    Bytes data;
    std::future<bool> decoded;  // by a thread
};
struct Decoder {
    Codec codec;
    int width, height, depth;
    std::size_t pitch, outputs;
    std::vector<Surface> surfaces;
    std::map<std::uint64_t, Bytes*> mapped;

    Picture picture(Bytes& data) {
        return {data.data(), data.data() + pitch * height, pitch, width, height, depth};
    }
};
}  // namespace

extern "C" {
// `CUVIDDECODECAPS`, `CUVIDDECODECREATEINFO` and `CUVIDPICPARAMS` of cuviddec.h, as far as needed.
struct DecodeCaps {
    int codec, chroma;
    unsigned depth_over_8, reserved[3];
    std::uint8_t supported, decoders;
    std::uint16_t formats;
    unsigned max_width, max_height, max_blocks;
    std::uint16_t min_width, min_height;
};
struct CreateInfo {
    unsigned long width, height, decode_surfaces;
    int codec, chroma;
    unsigned long flags, depth_over_8, intra_only, max_width, max_height, reserved;
    short display_area[4];
    int format, deinterlacing;
    unsigned long target_width, target_height, output_surfaces;
};
struct PictureParams {
    int width_blocks, height_blocks, index, field, bottom, second;
    unsigned size;
    const std::uint8_t* data;
    unsigned slices;
    const unsigned* offsets;
};
constexpr int H264 = 4, HEVC = 8, P016 = 1;

int cuvidGetDecoderCaps(DecodeCaps* caps) {
    int deepest = caps->codec == HEVC ? 2 : 0;
    caps->supported = (caps->codec == H264 || caps->codec == HEVC) &&
                      static_cast<int>(caps->depth_over_8) <= deepest;
    caps->decoders = 1, caps->formats = 1 | 1 << P016;
    caps->max_width = caps->max_height = 4096, caps->max_blocks = 65536;
    caps->min_width = caps->min_height = 16;
    return has_context() ? SUCCESS : INVALID_CONTEXT;
}

int cuvidCreateDecoder(void** decoder, const CreateInfo* info) {
    if (!has_context()) return INVALID_CONTEXT;
    bool known = info->codec == H264 || info->codec == HEVC;
    if (std::getenv("FAKE_NVDEC_REFUSES") || !known || info->decode_surfaces > 32)
        return INVALID_VALUE;
    if ((info->depth_over_8 > 0) != (info->format == P016)) return INVALID_VALUE;
    auto* made = new Decoder{};
    made->codec = info->codec == H264 ? Codec::H264 : Codec::HEVC;
    made->depth = 8 + static_cast<int>(info->depth_over_8);
    made->width = (info->width + 15) / 16 * 16, made->height = (info->height + 15) / 16 * 16;
    made->pitch = (made->width * (made->depth > 8 ? 2 : 1) + 255) / 256 * 256;
    made->outputs = info->output_surfaces;
    made->surfaces.resize(info->decode_surfaces);
    for (auto& surface : made->surfaces) surface.data.resize(made->pitch * made->height * 3 / 2);
    *decoder = made;
    return SUCCESS;
}

int cuvidDestroyDecoder(void* decoder) {
    delete static_cast<Decoder*>(decoder);  // it waits for what is being decoded
    return SUCCESS;
}

int cuvidDecodePicture(void* given, const PictureParams* params) {
    auto* decoder = static_cast<Decoder*>(given);
    if (!has_context()) return INVALID_CONTEXT;
    if (params->index < 0 || params->index >= static_cast<int>(decoder->surfaces.size()))
        return INVALID_VALUE;
    auto& surface = decoder->surfaces[params->index];
    if (surface.decoded.valid()) surface.decoded.wait();
    auto picture = decoder->picture(surface.data);
    Bytes unit(params->data, params->data + params->size);
    surface.decoded = std::async(std::launch::async, [codec = decoder->codec, unit, picture] {
        std::memset(picture.luma, 0xFF, picture.size());  // who reads it too early sees
        return decode(codec, unit, picture);
    });
    return SUCCESS;
}

// A surface is copied for each that maps it, of which there are only so many.
int cuvidMapVideoFrame64(void* given, int index, std::uint64_t* address, unsigned* pitch, void*) {
    auto* decoder = static_cast<Decoder*>(given);
    if (!has_context()) return INVALID_CONTEXT;
    if (decoder->mapped.size() >= decoder->outputs) return NOT_READY;
    auto& surface = decoder->surfaces.at(index);
    if (surface.decoded.valid() && !surface.decoded.get()) return INVALID_VALUE;
    auto* copy = new Bytes(surface.data);
    *address = reinterpret_cast<std::uint64_t>(copy->data());
    *pitch = decoder->pitch;
    decoder->mapped[*address] = copy;
    return SUCCESS;
}

int cuvidUnmapVideoFrame64(void* given, std::uint64_t address) {
    auto* decoder = static_cast<Decoder*>(given);
    auto found = decoder->mapped.find(address);
    if (found == decoder->mapped.end()) return INVALID_VALUE;
    std::memset(found->second->data(), 0xFF, found->second->size());  // who still reads it sees
    delete found->second;
    decoder->mapped.erase(found);
    return SUCCESS;
}

#define UNUSED(name) \
    int name() { return INVALID_VALUE; }
UNUSED(cuvidGetDecodeStatus)
UNUSED(cuvidReconfigureDecoder)
UNUSED(cuvidCtxLockCreate)
UNUSED(cuvidCtxLockDestroy)
UNUSED(cuvidCtxLock)
UNUSED(cuvidCtxUnlock)
UNUSED(cuvidCreateVideoSource)
UNUSED(cuvidCreateVideoSourceW)
UNUSED(cuvidDestroyVideoSource)
UNUSED(cuvidSetVideoSourceState)
UNUSED(cuvidGetVideoSourceState)
UNUSED(cuvidGetSourceVideoFormat)
UNUSED(cuvidGetSourceAudioFormat)
UNUSED(cuvidCreateVideoParser)
UNUSED(cuvidParseVideoData)
UNUSED(cuvidDestroyVideoParser)
}

// libnvidia-encode --------------------------------------------------------------------------------

namespace {
constexpr int NO_DEVICE = 2, INVALID_PARAM = 8, OUT_OF_MEMORY = 10, GENERIC = 20;

struct Resource {
    Picture picture;
    std::uint32_t format;
    bool mapped = false;

    Bytes read() const { return Bytes(picture.luma, picture.luma + picture.size()); }
};
struct Output {
    Resource* source = nullptr;
    std::uint64_t time = 0;
    std::future<Bytes> first;  // how the picture was when it was given, read by a thread
    Bytes stream;
};
struct Encoder {
    Codec codec = Codec::H264;
    int width = 0, height = 0, depth = 8;
    unsigned pictures = 0;
    std::set<Resource*> resources;
    std::set<Output*> outputs;
};
struct Guid {
    std::uint32_t a;
    std::uint16_t b, c;
    std::uint8_t d[8];
};
constexpr Guid H264_GUID{0x6bc82762, 0x4e63, 0x4ca4,
                         {0xaa, 0x85, 0x1e, 0x50, 0xf3, 0x21, 0xf6, 0xbf}};
constexpr Guid HEVC_GUID{0x790cdc88, 0x4522, 0x4d7b,
                         {0x94, 0x25, 0xbd, 0xa9, 0x97, 0x5f, 0x76, 0x03}};
constexpr Guid MAIN10_GUID{0xfa4d2b6c, 0x3a5b, 0x411a,
                           {0x80, 0x18, 0x0a, 0x3f, 0x5e, 0x3c, 0x9b, 0xe5}};
constexpr std::uint32_t NV12 = 1, P010 = 0x10000;

// Structures of nvEncodeAPI.h (SDK 13), as far as needed.
struct OpenParams {
    std::uint32_t version, kind;
    void* device;
};
struct CapsParam {
    std::uint32_t version, caps;
};
struct Config {
    std::uint32_t version;
    Guid profile;
};
struct InitializeParams {
    std::uint32_t version;
    Guid codec, preset;
    std::uint32_t width, height, shown[2], rate[2], async, decides, flags, private_size, reserved;
    void* private_data;
    const Config* config;
};
struct BitstreamBuffer {
    std::uint32_t version, size, heap, reserved;
    void* buffer;
};
struct RegisterResource {
    std::uint32_t version, kind, width, height, pitch, index;
    void* address;
    void* registered;
    std::uint32_t format;
};
struct MapResource {
    std::uint32_t version, index;
    void* input;
    void* registered;
    void* mapped;
    std::uint32_t format;
};
struct PicParams {
    std::uint32_t version, width, height, pitch, flags, index;
    std::uint64_t time, duration;
    void* input;
    void* output;
};
struct LockBitstream {
    std::uint32_t version, flags;
    void* output;
    std::uint32_t* slices;
    std::uint32_t index, status, slice_count, size;
    std::uint64_t time, duration;
    void* data;
    std::uint32_t picture_type, structure, quantiser;
};
struct SequenceParams {
    std::uint32_t version, size, sequence, picture;
    void* buffer;
    std::uint32_t* written;
};
constexpr std::uint32_t END_OF_STREAM = 8, IDR = 3, FRAME = 1;

int open_session(const OpenParams* params, void** encoder) {
    if (refuses("open")) return NO_DEVICE;
    if (params->kind != 1 || !params->device) return INVALID_PARAM;
    *encoder = new Encoder;
    return SUCCESS;
}

int guid_count(void*, std::uint32_t* count) { return *count = 2, SUCCESS; }

int guids(void*, Guid* list, std::uint32_t, std::uint32_t* count) {
    list[0] = H264_GUID, list[1] = HEVC_GUID;
    return *count = 2, SUCCESS;
}

int caps(void*, Guid, const CapsParam* param, int* value) {
    if (refuses("caps")) return GENERIC;
    (void)param;
    return *value = 4096, SUCCESS;
}

int preset_config(void*, Guid, Guid, unsigned, void*) { return SUCCESS; }

int initialize(void* given, const InitializeParams* params) {
    if (refuses("initialize")) return OUT_OF_MEMORY;
    auto* encoder = static_cast<Encoder*>(given);
    encoder->width = params->width, encoder->height = params->height;
    encoder->codec = params->codec.a == H264_GUID.a ? Codec::H264 : Codec::HEVC;
    encoder->depth = params->config->profile.a == MAIN10_GUID.a ? 10 : 8;
    return SUCCESS;
}

int create_bitstream(void* given, BitstreamBuffer* params) {
    auto* output = new Output;
    static_cast<Encoder*>(given)->outputs.insert(output);
    return params->buffer = output, SUCCESS;
}

int destroy_bitstream(void* given, void* buffer) {
    if (!static_cast<Encoder*>(given)->outputs.erase(static_cast<Output*>(buffer)))
        return INVALID_PARAM;
    delete static_cast<Output*>(buffer);
    return SUCCESS;
}

int register_resource(void* given, RegisterResource* params) {
    if (refuses("register")) return GENERIC;
    auto* luma = static_cast<std::uint8_t*>(params->address);
    auto* encoder = static_cast<Encoder*>(given);
    int width = encoder->width, height = encoder->height;
    std::size_t pitch = params->pitch;
    int depth = encoder->depth;
    if (params->format != (depth == 8 ? NV12 : P010)) return INVALID_PARAM;
    Picture picture{luma, luma + pitch * params->height, pitch, width, height, depth};
    auto* resource = new Resource{picture, params->format};
    encoder->resources.insert(resource);
    return params->registered = resource, SUCCESS;
}

int unregister_resource(void* given, void* registered) {
    auto* resource = static_cast<Resource*>(registered);
    if (resource->mapped || !static_cast<Encoder*>(given)->resources.erase(resource))
        return INVALID_PARAM;
    delete resource;
    return SUCCESS;
}

int map_resource(void* given, MapResource* params) {
    if (refuses("map")) return GENERIC;
    auto* resource = static_cast<Resource*>(params->registered);
    if (!static_cast<Encoder*>(given)->resources.count(resource)) return INVALID_PARAM;
    resource->mapped = true;
    params->mapped = resource, params->format = resource->format;
    return SUCCESS;
}

int unmap_resource(void*, void* mapped) {
    static_cast<Resource*>(mapped)->mapped = false;
    return SUCCESS;
}

int encode_picture(void* given, const PicParams* params) {
    if (params->flags & END_OF_STREAM) return SUCCESS;
    if (refuses("encode")) return GENERIC;
    auto* output = static_cast<Output*>(params->output);
    output->source = static_cast<Resource*>(params->input);
    output->time = params->time;
    (void)given;
    if (!output->source || !output->source->mapped) return INVALID_PARAM;
    auto* source = output->source;
    output->first = std::async(std::launch::async, [source] { return source->read(); });
    return SUCCESS;
}

Bytes encoded(Encoder& encoder, const Picture& picture) {
    Bytes stream = parameter_sets(encoder.codec, encoder.width, encoder.height, picture.depth);
    if (encoder.codec == Codec::H264)
        append_h264(stream, picture, encoder.pictures++);
    else
        append_hevc(stream, picture);
    return stream;
}

// The picture is read again: one that was not done when it was given, or was written over since, is
// nothing but white.
int lock_bitstream(void* given, LockBitstream* params) {
    if (refuses("lock")) return GENERIC;
    auto* encoder = static_cast<Encoder*>(given);
    auto* output = static_cast<Output*>(params->output);
    if (!output->source || !output->source->mapped) return INVALID_PARAM;
    Bytes held = output->first.get();
    if (held != output->source->read()) std::fill(held.begin(), held.end(), 0xFF);
    auto picture = output->source->picture;
    picture.chroma = held.data() + (picture.chroma - picture.luma);
    picture.luma = held.data();
    output->stream = encoded(*encoder, picture);
    output->source = nullptr;
    params->data = output->stream.data(), params->size = output->stream.size();
    params->time = output->time, params->duration = 0;
    params->picture_type = IDR, params->structure = FRAME, params->quantiser = 20;
    return SUCCESS;
}

int unlock_bitstream(void*, void*) { return SUCCESS; }

int sequence_params(void* given, SequenceParams* params) {
    auto* encoder = static_cast<Encoder*>(given);
    Bytes sets = parameter_sets(encoder->codec, encoder->width, encoder->height, encoder->depth);
    std::memcpy(params->buffer, sets.data(), sets.size());
    return *params->written = sets.size(), SUCCESS;
}

int destroy_encoder(void* given) {
    auto* encoder = static_cast<Encoder*>(given);
    int left = static_cast<int>(encoder->resources.size() + encoder->outputs.size());
    if (left) std::fprintf(stderr, "NVENC was destroyed with %d surfaces or buffers\n", left);
    delete encoder;
    return SUCCESS;
}

const char* last_error(void*) { return "as a test wants it"; }

int set_streams(void*, void*, void*) { return SUCCESS; }

int unknown() { return INVALID_PARAM; }
}  // namespace

extern "C" {
// `NV_ENCODE_API_FUNCTION_LIST`: functions in the order of nvEncodeAPI.h.
int NvEncodeAPICreateInstance(void* list) {
    auto** functions = reinterpret_cast<void**>(static_cast<char*>(list) + 8);
    for (int place = 0; place < 43; ++place) functions[place] = reinterpret_cast<void*>(unknown);
    const std::map<int, void*> known = {
        {1, (void*)guid_count},          {4, (void*)guids},
        {7, (void*)caps},                {11, (void*)initialize},
        {14, (void*)create_bitstream},   {15, (void*)destroy_bitstream},
        {16, (void*)encode_picture},     {17, (void*)lock_bitstream},
        {18, (void*)unlock_bitstream},   {22, (void*)sequence_params},
        {25, (void*)map_resource},       {26, (void*)unmap_resource},
        {27, (void*)destroy_encoder},    {29, (void*)open_session},
        {30, (void*)register_resource},  {31, (void*)unregister_resource},
        {37, (void*)last_error},         {38, (void*)set_streams},
        {39, (void*)preset_config},
    };
    for (auto [place, function] : known) functions[place] = function;
    return SUCCESS;
}

int NvEncodeAPIGetMaxSupportedVersion(std::uint32_t* version) {
    *version = 15 << 4;
    return SUCCESS;
}
}
