// The card that the stub plays: takes the environment, gives what CUDA says of a card. Read anew at each question, so that
// a process may shrink its card between two pieces of work.
//   XP_STUB_GPUS=1            how many cards CUDA would list without CUDA_VISIBLE_DEVICES
//   XP_STUB_NAME, XP_STUB_CAPABILITY=90, XP_STUB_MEMORY_MB=81920
//   XP_STUB_BROKEN=GPU-x      the card of this id does not start (uncorrectable ECC error)
//   XP_STUB_ILLEGAL_AFTER=N   the Nth launch makes an illegal access, and everything after it fails
//   XP_STUB_FAIL=host|event   pinned memory, or events, are out of memory
#pragma once
#include <cuda_runtime_api.h>

#include <cstdlib>
#include <cstring>

namespace {

long number_of(const char* name, long otherwise) {
    const char* text = getenv(name);
    return text && *text ? atol(text) : otherwise;
}

bool says(const char* name, const char* value) {
    const char* text = getenv(name);
    return text && !strcmp(text, value);
}

int capability() { return (int)number_of("XP_STUB_CAPABILITY", 90); }
size_t total_memory() { return (size_t)number_of("XP_STUB_MEMORY_MB", 81920) << 20; }
size_t shared_memory() { return capability() >= 90 ? 232448 : capability() >= 80 ? 166912 : 65536; }
constexpr size_t CONTEXT = 512u << 20;  // what a context takes of a card

int visible_devices() {
    const char* visible = getenv("CUDA_VISIBLE_DEVICES");
    if (!visible) return (int)number_of("XP_STUB_GPUS", 1);
    if (!*visible || *visible == '-') return 0;
    int count = 1;
    for (const char* letter = visible; *letter; letter++) count += *letter == ',';
    return count;
}

cudaDeviceProp properties() {
    cudaDeviceProp found;
    memset(&found, 0, sizeof found);
    const char* name = getenv("XP_STUB_NAME");
    strncpy(found.name, name ? name : "Stub H100", sizeof found.name - 1);
    found.major = capability() / 10, found.minor = capability() % 10;
    found.totalGlobalMem = total_memory();
    found.multiProcessorCount = 132, found.warpSize = 32;
    found.maxThreadsPerBlock = 1024;
    found.maxThreadsPerMultiProcessor = capability() == 75 ? 1024 : 2048;
    found.sharedMemPerBlock = 49152, found.sharedMemPerBlockOptin = shared_memory();
    found.sharedMemPerMultiprocessor = shared_memory() + 1024;
    found.regsPerBlock = found.regsPerMultiprocessor = 65536;
    found.maxThreadsDim[0] = found.maxThreadsDim[1] = 1024, found.maxThreadsDim[2] = 64;
    found.maxGridSize[0] = 2147483647, found.maxGridSize[1] = found.maxGridSize[2] = 65535;
    found.l2CacheSize = 50 << 20, found.textureAlignment = 512, found.memoryBusWidth = 5120;
    found.concurrentKernels = found.unifiedAddressing = found.managedMemory = 1;
    found.asyncEngineCount = 3, found.maxBlocksPerMultiProcessor = 32;
    return found;
}

int attribute_of(cudaDeviceAttr attribute) {
    switch (attribute) {
        case cudaDevAttrComputeCapabilityMajor: return capability() / 10;
        case cudaDevAttrComputeCapabilityMinor: return capability() % 10;
        case cudaDevAttrMultiProcessorCount: return 132;
        case cudaDevAttrMaxSharedMemoryPerBlockOptin: return (int)shared_memory();
        case cudaDevAttrMaxSharedMemoryPerBlock: return 49152;
        case cudaDevAttrMaxThreadsPerMultiProcessor: return 2048;
        case cudaDevAttrMaxThreadsPerBlock: return 1024;
        case cudaDevAttrMaxGridDimX: return 2147483647;
        case cudaDevAttrMaxGridDimY:
        case cudaDevAttrMaxGridDimZ: return 65535;
        case cudaDevAttrWarpSize: return 32;
        default: return 0;
    }
}

}  // namespace
