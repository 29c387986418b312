// A libnvidia-ml of one card, for tests: clocks stand still, and energy follows from the time at 350 W, told every 20 ms.
//   XP_STUB_NVML=none         it does not start, as without a driver
//   XP_STUB_NVML=untold       the card tells neither power nor energy, as an instance of MIG
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define UNTOLD 3  // NVML_ERROR_NOT_SUPPORTED
#define WATTS 350

static int says(const char* word) {
    const char* text = getenv("XP_STUB_NVML");
    return text && !strcmp(text, word);
}

int nvmlInit_v2(void) { return says("none") ? 9 : 0; }  // NVML_ERROR_DRIVER_NOT_LOADED
int nvmlShutdown(void) { return 0; }
const char* nvmlErrorString(int status) { return status == 9 ? "Driver Not Loaded" : "Not Found"; }
int nvmlDeviceGetHandleByUUID(const char* uuid, void** card) {
    if (strncmp(uuid, "GPU-", 4)) return 6;  // NVML_ERROR_NOT_FOUND
    *card = (void*)1;
    return 0;
}
int nvmlDeviceGetClockInfo(void* card, int which, unsigned* mhz) {
    *mhz = which == 1 ? 1755 : 2619;
    return 0;
}
int nvmlDeviceGetTemperature(void* card, int which, unsigned* degrees) {
    *degrees = 41;
    return 0;
}
int nvmlDeviceGetPowerUsage(void* card, unsigned* milliwatts) {
    *milliwatts = WATTS * 1000;
    return says("untold") ? UNTOLD : 0;
}
int nvmlDeviceGetTotalEnergyConsumption(void* card, unsigned long long* millijoules) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    unsigned long long ticks = now.tv_sec * 50ull + now.tv_nsec / 20000000;
    *millijoules = ticks * 20 * WATTS;
    return says("untold") ? UNTOLD : 0;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void* card, unsigned long long* bits) {
    *bits = 0x4;
    return 0;
}

// What PyTorch's allocator asks when memory runs out: who else is on the card, and what of it is linked.
int nvmlDeviceGetHandleByPciBusId_v2(const char* place, void** card) {
    *card = (void*)1;
    return 0;
}
int nvmlDeviceGetComputeRunningProcesses(void* card, unsigned* number, void* found) {
    *number = 0;
    return 0;
}
int nvmlDeviceGetNvLinkRemoteDeviceType(void* card, unsigned link, unsigned* kind) { return UNTOLD; }
int nvmlDeviceGetNvLinkRemotePciInfo_v2(void* card, unsigned link, void* found) { return UNTOLD; }
int nvmlDeviceGetGpuFabricInfoV(void* card, void* found) { return UNTOLD; }
int nvmlSystemGetCudaDriverVersion_v2(int* version) {
    *version = 13020;
    return 0;
}
