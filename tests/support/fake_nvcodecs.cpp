// Stands in for NVIDIA's libnvcuvid.so.1 and libnvidia-encode.so.1 in tests, behind FFmpeg's own
// code. It decodes and encodes nothing but H.264 of uncompressed blocks (I_PCM), in which a file
// comes out bit for bit as it went in. What it is strict about is what FFmpeg and its callers have
// to mind: how many surfaces there are and who holds them, pitches, contexts, and that NVENC reads a
// picture as late as it may: when its packet is asked for. Steps at which NVENC refuses are named by
// the environment.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

extern "C" int cuCtxGetDevice(int* device);  // of the driver that is loaded

namespace {
using Bytes = std::vector<std::uint8_t>;
constexpr int SUCCESS = 0, NOT_READY = 600, INVALID_VALUE = 1, INVALID_CONTEXT = 201;
constexpr int BLOCK = 16, PCM_BYTES = 384, FRAME_NUMBER_BITS = 4;

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
    const std::uint8_t* bytes(std::size_t count) {
        used_ = (used_ + 7) / 8 * 8;
        if (used_ / 8 + count > data_.size()) return nullptr;
        const auto* here = data_.data() + used_ / 8;
        used_ += 8 * count;
        return here;
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

void append_unit(Bytes& stream, std::uint8_t header, const Bytes& payload) {
    stream.insert(stream.end(), {0, 0, 0, 1, header});
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

// H.264 of uncompressed blocks --------------------------------------------------------------------

struct Nv12 {
    std::uint8_t *luma, *chroma;
    std::size_t pitch;
    int width, height;

    // A sample, or the nearest one of the picture.
    std::uint8_t y(int row, int column) const {
        return luma[std::min(row, height - 1) * pitch + std::min(column, width - 1)];
    }
    std::uint8_t c(int row, int column, int which) const {
        int last_row = height / 2 - 1, last_column = width / 2 - 1;
        return chroma[std::min(row, last_row) * pitch + 2 * std::min(column, last_column) + which];
    }
};

Bytes parameter_sets(int width, int height) {
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
    append_unit(stream, 0x67, sequence.data());
    append_unit(stream, 0x68, picture.data());
    return stream;
}

void append_picture(Bytes& stream, const Nv12& picture, unsigned number) {
    BitWriter slice;
    slice.ue(0), slice.ue(7), slice.ue(0), slice.bits(0, FRAME_NUMBER_BITS);
    slice.ue(number % 2), slice.bits(0, 2), slice.ue(0), slice.ue(1);  // no deblocking
    for (int top = 0; top < picture.height; top += BLOCK)
        for (int left = 0; left < picture.width; left += BLOCK) {
            slice.ue(25), slice.align();
            for (int place = 0; place < 256; ++place)
                slice.byte(picture.y(top + place / 16, left + place % 16));
            for (int place = 0; place < 128; ++place)
                slice.byte(picture.c(top / 2 + place % 64 / 8, left / 2 + place % 8, place / 64));
        }
    slice.stop();
    append_unit(stream, 0x65, slice.data());
}

bool decode(const std::uint8_t* data, std::size_t size, const Nv12& into) {
    while (size > 3 && !(data[0] == 0 && data[1] == 0 && data[2] == 1)) ++data, --size;
    if (size < 5 || (data[3] & 31) != 5) return false;
    Bytes plain = without_escapes(data + 4, size - 4);
    BitReader slice(plain);
    if (slice.ue() != 0 || slice.ue() != 7) return false;
    slice.ue(), slice.bits(FRAME_NUMBER_BITS), slice.ue(), slice.bits(2), slice.ue(), slice.ue();
    for (int top = 0; top < into.height; top += BLOCK)
        for (int left = 0; left < into.width; left += BLOCK) {
            if (slice.ue() != 25) return false;
            const auto* block = slice.bytes(PCM_BYTES);
            if (!block) return false;
            for (int row = 0; row < BLOCK; ++row)
                std::memcpy(into.luma + (top + row) * into.pitch + left, block + 16 * row, 16);
            for (int place = 0; place < 128; ++place) {
                int row = top / 2 + place % 64 / 8, column = left / 2 + place % 8;
                into.chroma[row * into.pitch + 2 * column + place / 64] = block[256 + place];
            }
        }
    return true;
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
struct Decoder {
    int width, height;
    std::size_t pitch, outputs;
    std::vector<Bytes> surfaces;
    std::map<std::uint64_t, Bytes*> mapped;

    Nv12 picture(Bytes& surface) {
        return {surface.data(), surface.data() + pitch * height, pitch, width, height};
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
constexpr int H264 = 4;

int cuvidGetDecoderCaps(DecodeCaps* caps) {
    caps->supported = caps->codec == H264 && caps->depth_over_8 == 0;
    caps->decoders = 1, caps->formats = 1;
    caps->max_width = caps->max_height = 4096, caps->max_blocks = 65536;
    caps->min_width = caps->min_height = 16;
    return has_context() ? SUCCESS : INVALID_CONTEXT;
}

int cuvidCreateDecoder(void** decoder, const CreateInfo* info) {
    if (!has_context()) return INVALID_CONTEXT;
    if (std::getenv("FAKE_NVDEC_REFUSES") || info->codec != H264 || info->decode_surfaces > 32)
        return INVALID_VALUE;
    auto* made = new Decoder{};
    made->width = (info->width + 15) / 16 * 16, made->height = (info->height + 15) / 16 * 16;
    made->pitch = (made->width + 255) / 256 * 256;
    made->outputs = info->output_surfaces;
    made->surfaces.assign(info->decode_surfaces, Bytes(made->pitch * made->height * 3 / 2));
    *decoder = made;
    return SUCCESS;
}

int cuvidDestroyDecoder(void* decoder) {
    delete static_cast<Decoder*>(decoder);
    return SUCCESS;
}

int cuvidDecodePicture(void* given, const PictureParams* params) {
    auto* decoder = static_cast<Decoder*>(given);
    if (!has_context()) return INVALID_CONTEXT;
    if (params->index < 0 || params->index >= static_cast<int>(decoder->surfaces.size()))
        return INVALID_VALUE;
    auto picture = decoder->picture(decoder->surfaces[params->index]);
    return decode(params->data, params->size, picture) ? SUCCESS : INVALID_VALUE;
}

// A surface is copied for each that maps it, of which there are only so many.
int cuvidMapVideoFrame64(void* given, int index, std::uint64_t* address, unsigned* pitch, void*) {
    auto* decoder = static_cast<Decoder*>(given);
    if (!has_context()) return INVALID_CONTEXT;
    if (decoder->mapped.size() >= decoder->outputs) return NOT_READY;
    auto* copy = new Bytes(decoder->surfaces.at(index));
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
    Nv12 picture;
    bool mapped = false;
};
struct Output {
    Resource* source = nullptr;
    std::uint64_t time = 0;
    Bytes stream;
};
struct Encoder {
    int width = 0, height = 0;
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

// Structures of nvEncodeAPI.h (SDK 13), as far as needed.
struct OpenParams {
    std::uint32_t version, kind;
    void* device;
};
struct CapsParam {
    std::uint32_t version, caps;
};
struct InitializeParams {
    std::uint32_t version;
    Guid codec, preset;
    std::uint32_t width, height;
};
struct BitstreamBuffer {
    std::uint32_t version, size, heap, reserved;
    void* buffer;
};
struct RegisterResource {
    std::uint32_t version, kind, width, height, pitch, index;
    void* address;
    void* registered;
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

int guid_count(void*, std::uint32_t* count) { return *count = 1, SUCCESS; }

int guids(void*, Guid* list, std::uint32_t, std::uint32_t* count) {
    list[0] = H264_GUID;
    return *count = 1, SUCCESS;
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
    auto* resource = new Resource{{luma, luma + pitch * params->height, pitch, width, height}};
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
    params->mapped = resource, params->format = 1;  // NV12
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
    return output->source && output->source->mapped ? SUCCESS : INVALID_PARAM;
}

// The picture is read now: who wrote it over meanwhile gets what he wrote.
int lock_bitstream(void* given, LockBitstream* params) {
    if (refuses("lock")) return GENERIC;
    auto* encoder = static_cast<Encoder*>(given);
    auto* output = static_cast<Output*>(params->output);
    if (!output->source || !output->source->mapped) return INVALID_PARAM;
    output->stream = parameter_sets(encoder->width, encoder->height);
    append_picture(output->stream, output->source->picture, encoder->pictures++);
    output->source = nullptr;
    params->data = output->stream.data(), params->size = output->stream.size();
    params->time = output->time, params->duration = 0;
    params->picture_type = IDR, params->structure = FRAME, params->quantiser = 20;
    return SUCCESS;
}

int unlock_bitstream(void*, void*) { return SUCCESS; }

int sequence_params(void* given, SequenceParams* params) {
    auto* encoder = static_cast<Encoder*>(given);
    Bytes sets = parameter_sets(encoder->width, encoder->height);
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
