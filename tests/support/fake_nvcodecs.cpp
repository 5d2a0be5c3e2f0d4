// Stands in for NVIDIA's libnvcuvid.so.1 and libnvidia-encode.so.1 in tests, behind FFmpeg's own
// code. It decodes and encodes nothing but H.264 of 8 bits and HEVC of 8 and 10, of uncompressed
// blocks (PCM), and AV1 of 8 whose tiles are samples: a file comes out bit for bit as it went in. Both
// work in threads of their own. What it is strict about is what FFmpeg and its callers have to mind:
// how many surfaces there are and who holds them, pitches, contexts, and that NVENC reads a picture at
// any time from when it gets it until its packet is asked for: one that changes meanwhile comes out
// white. Steps at which NVENC or NVDEC refuses, from which call on, are named by the environment.

#include "fake_raw_av1.h"

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
constexpr int SUCCESS = 0, NOT_READY = 600, INVALID_VALUE = 1, INVALID_CONTEXT = 201,
              LAUNCH_FAILED = 719;

bool is_refused(const char* variable, const char* step) {
    static std::map<std::string, int> calls;
    const char* named = std::getenv(variable);
    if (!named) return false;
    std::string wanted = named, name = wanted.substr(0, wanted.find(':'));
    int at = name.size() < wanted.size() ? std::atoi(wanted.c_str() + name.size() + 1) : 1;
    return name == step && ++calls[name] >= at;
}

bool refuses(const char* step) { return is_refused("FAKE_NVENC_REFUSES", step); }
bool cannot(const char* step) { return is_refused("FAKE_NVDEC_REFUSES", step); }

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
constexpr int H264 = 4, HEVC = 8, AV1 = 11, P016 = 1;

bool is_known(int codec) { return codec == H264 || codec == HEVC || codec == AV1; }

int cuvidGetDecoderCaps(DecodeCaps* caps) {
    int deepest = caps->codec == HEVC ? 2 : 0;
    caps->supported = is_known(caps->codec) && static_cast<int>(caps->depth_over_8) <= deepest;
    caps->decoders = 1, caps->formats = 1 | 1 << P016;
    caps->max_width = caps->max_height = 4096, caps->max_blocks = 65536;
    caps->min_width = caps->min_height = 16;
    return has_context() ? SUCCESS : INVALID_CONTEXT;
}

int cuvidCreateDecoder(void** decoder, const CreateInfo* info) {
    if (!has_context()) return INVALID_CONTEXT;
    if (cannot("create") || !is_known(info->codec) || info->decode_surfaces > 32)
        return INVALID_VALUE;
    if ((info->depth_over_8 > 0) != (info->format == P016)) return INVALID_VALUE;
    auto* made = new Decoder{};
    made->codec = info->codec == H264   ? Codec::H264
                  : info->codec == HEVC ? Codec::HEVC
                                        : Codec::AV1;
    made->depth = 8 + static_cast<int>(info->depth_over_8);
    made->width = info->target_width, made->height = (info->target_height + 1) / 2 * 2;
    made->pitch = (made->width * (made->depth > 8 ? 2 : 1) + 255) / 256 * 256;
    made->outputs = info->output_surfaces;
    made->surfaces.resize(info->decode_surfaces);
    if (const char* path = std::getenv("FAKE_NVDEC_SURFACES"))  // of the last decoder
        if (std::FILE* file = std::fopen(path, "w"))
            std::fprintf(file, "%lu", info->decode_surfaces), std::fclose(file);
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
    if (cannot("decode")) return LAUNCH_FAILED;
    if (params->index < 0 || params->index >= static_cast<int>(decoder->surfaces.size()))
        return INVALID_VALUE;
    auto& surface = decoder->surfaces[params->index];
    if (surface.decoded.valid()) surface.decoded.wait();
    auto picture = decoder->picture(surface.data);
    Bytes unit(params->data, params->data + params->size);
    if (decoder->codec == Codec::AV1) {  // headers are not among what it gets
        unsigned begin = params->offsets[0], end = params->offsets[1];
        if (params->slices != 1 || begin > end || end > unit.size()) return INVALID_VALUE;
        unit = Bytes(params->data + begin, params->data + end);
    }
    surface.decoded = std::async(std::launch::async, [codec = decoder->codec, unit, picture] {
        std::memset(picture.luma, 0xFF, picture.size());  // who reads it too early sees
        return codec == Codec::AV1 ? decode_av1(unit, picture) : decode(codec, unit, picture);
    });
    return SUCCESS;
}

// A surface is copied for each that maps it, of which there are only so many.
int cuvidMapVideoFrame64(void* given, int index, std::uint64_t* address, unsigned* pitch, void*) {
    auto* decoder = static_cast<Decoder*>(given);
    if (!has_context()) return INVALID_CONTEXT;
    if (cannot("map")) return LAUNCH_FAILED;
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
constexpr Guid AV1_GUID{0x0a352289, 0x0aa7, 0x4759,
                        {0x86, 0x2d, 0x5d, 0x15, 0xcd, 0x16, 0xd2, 0x54}};
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

int guid_count(void*, std::uint32_t* count) { return *count = 3, SUCCESS; }

int guids(void*, Guid* list, std::uint32_t, std::uint32_t* count) {
    list[0] = H264_GUID, list[1] = HEVC_GUID, list[2] = AV1_GUID;
    return *count = 3, SUCCESS;
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
    encoder->codec = params->codec.a == H264_GUID.a   ? Codec::H264
                     : params->codec.a == HEVC_GUID.a ? Codec::HEVC
                                                      : Codec::AV1;
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

Bytes sets_of(const Encoder& encoder) {
    return encoder.codec == Codec::AV1
               ? av1_sets(encoder.width, encoder.height)
               : parameter_sets(encoder.codec, encoder.width, encoder.height, encoder.depth);
}

Bytes encoded(Encoder& encoder, const Picture& picture) {
    Bytes stream = sets_of(encoder);
    if (encoder.codec == Codec::H264)
        append_h264(stream, picture, encoder.pictures++);
    else if (encoder.codec == Codec::HEVC)
        append_hevc(stream, picture);
    else
        append_av1(stream, picture);
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
    Bytes sets = sets_of(*encoder);
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
