#include "launch.h"

#include "fault.h"
#include "memory.h"
#include "settings.h"
#include "simt/grid.h"

namespace weft::driver {

namespace {

uint64_t product(const dim3 &v) {
    return static_cast<uint64_t>(v.x) * v.y * v.z;
}

bool within(const dim3 &v, const dim3 &most) {
    return v.x >= 1 && v.y >= 1 && v.z >= 1 && v.x <= most.x && v.y <= most.y && v.z <= most.z;
}

void *translated(void *pointer) {
    return reinterpret_cast<void *>(translate(reinterpret_cast<uint64_t>(pointer)));
}

/**
 * The pointers of a call as the host can follow them. A place that the operator does not use may hold anything, so one
 * that points to no allocation stays as it is: the kernel that follows it is stopped.
 */
Call translated(Call call) {
    for (Operand &operand : call.at) {
        operand.data = translated(operand.data);
        operand.scale = translated(operand.scale);
    }
    for (void *&table : call.table) {
        table = translated(table);
    }
    call.workspace = translated(call.workspace);
    return call;
}

}  // namespace

int check(const KernelLaunch &launch, std::string &why) {
    const Function &function = *launch.function;
    if (!within(launch.grid, {2147483647, 65535, 65535})) {
        why = "no such grid";
        return INVALID_VALUE;
    }
    if (!within(launch.block, {1024, 1024, 64}) || product(launch.block) > 1024) {
        why = "no such block";
        return INVALID_VALUE;
    }
    if (product(launch.block) > static_cast<uint64_t>(function.kernel.threads)) {
        why = "a block of " + std::to_string(product(launch.block)) + " threads, the kernel is made for " +
              std::to_string(function.kernel.threads);
        return LAUNCH_OUT_OF_RESOURCES;
    }
    if (launch.shared_bytes > static_cast<unsigned>(function.most_shared_bytes)) {
        why = std::to_string(launch.shared_bytes) + " bytes of shared memory, the kernel is allowed " +
              std::to_string(function.most_shared_bytes);
        return INVALID_VALUE;
    }
    return SUCCESS;
}

int run(const KernelLaunch &launch) {
    if (int code = injected_failure("kernel")) {
        return code;
    }
    std::vector<Call> calls;
    {
        Lock lock(world().mutex);
        for (const Call &call : launch.calls) {
            calls.push_back(translated(call));
        }
    }
    const Function &function = *launch.function;
    simt::Failure failure = simt::run({function.module + "/" + function.kernel.name, function.kernel.body, calls.data(),
                                       function.kernel.ahead, launch.calls.data(), launch.grid, launch.block, launch.shared_bytes, settings().seed,
                                       function.own_features, function.kernel.static_bytes});
    if (failure.code != 0) {
        fault(failure.rule, failure.detail);
    }
    return failure.code;
}

}  // namespace weft::driver
