// Stands in for NVIDIA's libcuda.so.1 in tests: its GPUs are named by environment variables, and
// their memory is main memory. It computes nothing.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {
int number(const char* name, int otherwise) {
    const char* value = std::getenv(name);
    return value ? std::atoi(value) : otherwise;
}
thread_local std::vector<void*> contexts;  // each thread has a stack of its own
constexpr int INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_CONTEXT = 201;
}  // namespace

extern "C" {
int cuInit(unsigned) { return number("FAKE_INIT", 0); }

int cuDriverGetVersion(int* version) {
    *version = number("FAKE_CUDA", 13000);
    return 0;
}

int cuDeviceGetCount(int* count) {
    *count = number("FAKE_GPUS", 1);
    return 0;
}

int cuDeviceGet(int* device, int index) {
    *device = index;
    return index < number("FAKE_GPUS", 1) ? 0 : INVALID_VALUE;
}

int cuDeviceGetName(char* text, int size, int device) {
    std::snprintf(text, size, "Fake GPU %d", device);
    return 0;
}

int cuDeviceGetAttribute(int* value, int attribute, int) {
    if (attribute == 14) return *value = 512, 0;  // of textures, by which FFmpeg aligns rows
    int capability = number("FAKE_CAPABILITY", 89);
    *value = attribute == 75 ? capability / 10 : capability % 10;
    return attribute == 75 || attribute == 76 ? 0 : INVALID_VALUE;
}

int cuDevicePrimaryCtxRetain(void** context, int device) {
    *context = reinterpret_cast<void*>(static_cast<std::uintptr_t>(device + 1));
    return 0;
}

int cuDevicePrimaryCtxRelease_v2(int) { return 0; }

int cuCtxPushCurrent_v2(void* context) {
    contexts.push_back(context);
    return context ? 0 : INVALID_CONTEXT;
}

int cuCtxPopCurrent_v2(void** context) {
    if (contexts.empty()) return INVALID_CONTEXT;
    if (context) *context = contexts.back();
    contexts.pop_back();
    return 0;
}

int cuCtxGetCurrent(void** context) {
    *context = contexts.empty() ? nullptr : contexts.back();
    return 0;
}

int cuCtxSetCurrent(void* context) {
    if (!contexts.empty()) contexts.pop_back();
    if (context) contexts.push_back(context);
    return 0;
}

int cuCtxGetDevice(int* device) {
    if (contexts.empty()) return INVALID_CONTEXT;
    *device = static_cast<int>(reinterpret_cast<std::uintptr_t>(contexts.back())) - 1;
    return 0;
}

int cuMemAlloc_v2(std::uint64_t* address, std::size_t size) {
    if (contexts.empty()) return INVALID_CONTEXT;
    if (size > (std::size_t(1) << 40)) return OUT_OF_MEMORY;
    *address = reinterpret_cast<std::uint64_t>(std::malloc(size));
    return 0;
}

int cuMemFree_v2(std::uint64_t address) {
    std::free(reinterpret_cast<void*>(address));
    return 0;
}

int cuMemAllocPitch_v2(std::uint64_t* address, std::size_t* pitch, std::size_t width,
                       std::size_t height, unsigned) {
    *pitch = (width + 511) / 512 * 512;
    return cuMemAlloc_v2(address, *pitch * height);
}

// `CUDA_MEMCPY2D_v2` of cuda.h.
struct Place {
    std::size_t x, y;
    int kind;  // 1 is main memory, 2 a device's: the same here
    void* host;
    std::uint64_t device;
    void* array;
    std::size_t pitch;

    char* row(std::size_t number) const {
        auto* base = kind == 1 ? static_cast<char*>(host) : reinterpret_cast<char*>(device);
        return base + (y + number) * pitch + x;
    }
};
struct Copy2D {
    Place from, to;
    std::size_t width, height;
};

int cuMemcpy2D_v2(const Copy2D* copy) {
    if (contexts.empty()) return INVALID_CONTEXT;
    for (std::size_t row = 0; row < copy->height; ++row)
        std::memcpy(copy->to.row(row), copy->from.row(row), copy->width);
    return 0;
}

int cuMemcpy2DAsync_v2(const Copy2D* copy, void*) { return cuMemcpy2D_v2(copy); }

int cuMemcpyHtoD_v2(std::uint64_t target, const void* source, std::size_t size) {
    std::memcpy(reinterpret_cast<void*>(target), source, size);
    return 0;
}

int cuMemcpyDtoH_v2(void* target, std::uint64_t source, std::size_t size) {
    std::memcpy(target, reinterpret_cast<const void*>(source), size);
    return 0;
}

int cuStreamCreate(void** stream, unsigned) {
    *stream = std::malloc(1);
    return contexts.empty() ? INVALID_CONTEXT : 0;
}

int cuStreamSynchronize(void*) { return 0; }

int cuStreamDestroy_v2(void* stream) {
    std::free(stream);
    return 0;
}

// A stream that captures, at whose end are as many nodes as a test says.
int cuStreamGetCaptureInfo_v2(void* stream, int* status, std::uint64_t* id, void** graph,
                              void*** nodes, std::size_t* count) {
    static void* last[] = {reinterpret_cast<void*>(0x70), reinterpret_cast<void*>(0x71)};
    *status = number("FAKE_CAPTURE", 1);
    *nodes = last;
    *count = number("FAKE_NODES", 1);
    return stream && !id && !graph ? 0 : INVALID_VALUE;
}

// `CUDA_KERNEL_NODE_PARAMS_v1` of cuda.h.
struct KernelNodeParams {
    void* func;
    unsigned gridDimX, gridDimY, gridDimZ, blockDimX, blockDimY, blockDimZ, sharedMemBytes;
    void** kernelParams;
    void** extra;
};

// Says what it was given; the arguments of the kernel are an address, a float and three integers.
int cuGraphExecKernelNodeSetParams(void* exec, void* node, const KernelNodeParams* given) {
    struct Three {
        std::int32_t values[3];
    };
    auto address = *static_cast<std::uint64_t*>(given->kernelParams[0]);
    auto factor = *static_cast<float*>(given->kernelParams[1]);
    auto three = *static_cast<Three*>(given->kernelParams[2]);
    std::printf("%p %p %p | %u %u %u | %u %u %u | %u | %llx %g %d %d %d | %d\n", exec, node,
                given->func, given->gridDimX, given->gridDimY, given->gridDimZ, given->blockDimX,
                given->blockDimY, given->blockDimZ, given->sharedMemBytes,
                static_cast<unsigned long long>(address), factor, three.values[0],
                three.values[1], three.values[2], given->extra != nullptr);
    return 0;
}

int cuGetErrorName(int status, const char** name) {
    switch (status) {
        case INVALID_VALUE: *name = "CUDA_ERROR_INVALID_VALUE"; return 0;
        case OUT_OF_MEMORY: *name = "CUDA_ERROR_OUT_OF_MEMORY"; return 0;
        case INVALID_CONTEXT: *name = "CUDA_ERROR_INVALID_CONTEXT"; return 0;
        default: return INVALID_VALUE;
    }
}

int cuGetErrorString(int status, const char** text) { return cuGetErrorName(status, text); }

int cuDeviceComputeCapability(int* major, int* minor, int device) {
    return cuDeviceGetAttribute(major, 75, device) | cuDeviceGetAttribute(minor, 76, device);
}

// FFmpeg takes a driver for too old that lacks any of these; nothing here needs them.
#define UNUSED(name) \
    int name() { return INVALID_VALUE; }
UNUSED(cuCtxCreate_v2)
UNUSED(cuCtxDestroy_v2)
UNUSED(cuCtxSetLimit)
UNUSED(cuMemsetD8Async)
UNUSED(cuMemcpy)
UNUSED(cuMemcpyAsync)
UNUSED(cuMemcpyHtoDAsync_v2)
UNUSED(cuMemcpyDtoHAsync_v2)
UNUSED(cuMemcpyDtoD_v2)
UNUSED(cuMemcpyDtoDAsync_v2)
UNUSED(cuMemAllocManaged)
UNUSED(cuDeviceGetByPCIBusId)
UNUSED(cuDeviceGetPCIBusId)
UNUSED(cuDevicePrimaryCtxRelease)
UNUSED(cuDevicePrimaryCtxSetFlags)
UNUSED(cuDevicePrimaryCtxGetState)
UNUSED(cuDevicePrimaryCtxReset)
UNUSED(cuStreamQuery)
UNUSED(cuStreamAddCallback)
UNUSED(cuStreamWaitEvent)
UNUSED(cuEventCreate)
UNUSED(cuEventDestroy_v2)
UNUSED(cuEventSynchronize)
UNUSED(cuEventQuery)
UNUSED(cuEventRecord)
UNUSED(cuLaunchKernel)
UNUSED(cuLinkCreate)
UNUSED(cuLinkAddData)
UNUSED(cuLinkComplete)
UNUSED(cuLinkDestroy)
UNUSED(cuModuleLoadData)
UNUSED(cuModuleUnload)
UNUSED(cuModuleGetFunction)
UNUSED(cuModuleGetGlobal)
UNUSED(cuTexObjectCreate)
UNUSED(cuTexObjectDestroy)
UNUSED(cuGLGetDevices_v2)
UNUSED(cuGraphicsGLRegisterImage)
UNUSED(cuGraphicsUnregisterResource)
UNUSED(cuGraphicsMapResources)
UNUSED(cuGraphicsUnmapResources)
UNUSED(cuGraphicsSubResourceGetMappedArray)
UNUSED(cuGraphicsResourceGetMappedPointer_v2)
UNUSED(cuArrayCreate_v2)
UNUSED(cuArray3DCreate_v2)
UNUSED(cuArrayDestroy)
UNUSED(cuEGLStreamConsumerDisconnect)
UNUSED(cuEGLStreamProducerConnect)
UNUSED(cuEGLStreamProducerDisconnect)
UNUSED(cuEGLStreamProducerPresentFrame)
UNUSED(cuEGLStreamProducerReturnFrame)
}
