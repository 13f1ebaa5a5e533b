// The driver: what a right program gets, and that each wrong one is told.
#include <atomic>
#include <cstring>
#include <chrono>
#include <thread>

#include "driver.h"

using namespace test;

namespace {

void *event(unsigned flags = 2) {
    void *out = nullptr;
    OK(cuEventCreate(&out, flags));
    return out;
}

void *pinned(size_t bytes) {
    void *out = nullptr;
    OK(cuMemHostAlloc(&out, bytes, 0));
    return out;
}

/** Captures what `body` does in the stream. */
template <class Body>
void *captured(void *stream, Body body) {
    void *graph = nullptr;
    OK(cuStreamBeginCapture_v2(stream, 1));
    body();
    OK(cuStreamEndCapture(stream, &graph));
    return graph;
}

Launch adding(const Memory &in, const Memory &out, long long number, unsigned count = 32) {
    Launch launch({in.address, out.address});
    launch.block = count;
    launch.call.attribute[0] = number;
    return launch;
}

}  // namespace

// ---- process and contexts

TEST(nothing_works_before_initialisation, {{"stub", "1"}}, [] {
    int count = 0;
    EQUAL(cuInit(0), 34);
    EQUAL(cuDeviceGetCount(&count), 34);
});

TEST(no_device, {{"devices", "0"}}, [] { EQUAL(cuInit(0), 100); });

TEST(settings_are_checked, [] {
    EQUAL(weftEmulatorConfigure("sm", "85"), 1);
    EQUAL(weftEmulatorConfigure("devices", "many"), 1);
    EQUAL(weftEmulatorConfigure("colour", "red"), 1);
    EQUAL(weftEmulatorConfigure("fail", "cuInit"), 1);
});

TEST(errors_have_names, [] {
    const char *name = nullptr, *text = nullptr;
    OK(cuGetErrorName(700, &name));
    OK(cuGetErrorString(2, &text));
    CHECK(std::strcmp(name, "CUDA_ERROR_ILLEGAL_ADDRESS") == 0);
    CHECK(std::strcmp(text, "out of memory") == 0);
    EQUAL(cuGetErrorName(123456, &name), 1);
});

TEST(late_lookup, [] {
    void *function = nullptr;
    int status = -1;
    OK(cuGetProcAddress_v2("cuMemAlloc", &function, 13000, 0, &status));
    CHECK(function == reinterpret_cast<void *>(&cuMemAlloc_v2) && status == 0);
    EQUAL(cuGetProcAddress_v2("cuNothing", &function, 13000, 0, &status), 500);
});

TEST(devices_tell_their_chip, {{"sm", "89"}, {"devices", "2"}}, [] {
    OK(cuInit(0));
    int count = 0, value = 0, device = 0;
    OK(cuDeviceGetCount(&count));
    EQUAL(count, 2);
    OK(cuDeviceGetAttribute(&value, 75, 1));
    EQUAL(value, 8);
    OK(cuDeviceGetAttribute(&value, 97, 1));
    EQUAL(value, 101376);
    EQUAL(cuDeviceGetAttribute(&value, 9999, 1), 1);
    EQUAL(cuDeviceGet(&device, 2), 101);
});

TEST(contexts_belong_to_threads, [] {
    Device d;
    CUdeviceptr out = 0;
    std::thread([&] { EQUAL(cuMemAlloc_v2(&out, 16), 201); }).join();
    void *current = nullptr;
    OK(cuCtxPushCurrent_v2(d.context));
    OK(cuCtxPopCurrent_v2(&current));
    CHECK(current == d.context);
    EQUAL(cuCtxPopCurrent_v2(&current), 201);
    OK(cuCtxSetCurrent(nullptr));
    EQUAL(cuMemAlloc_v2(&out, 16), 201);
    OK(cuCtxSetCurrent(d.context));
});

TEST(release_without_retain, [] {
    OK(cuInit(0));
    EQUAL(cuDevicePrimaryCtxRelease_v2(0), 201);
    FAULT("release-without-retain");
});

TEST(leaks_are_reported, [] {
    CUdeviceptr lost = 0;
    {
        Device d;
        OK(cuMemAlloc_v2(&lost, 100));
        event();
        pinned(10);
    }
    std::string faults = weftEmulatorFaults();
    CHECK(faults == "leak: the last release of device 0 leaves 1 allocations of together 100 bytes, 1 of kind event, "
                    "1 pieces of host memory");
});

TEST(context_of_another_device, {{"devices", "2"}}, [] {
    Device first;
    void *second = nullptr, *stream = nullptr;
    OK(cuDevicePrimaryCtxRetain(&second, 1));
    OK(cuCtxSetCurrent(second));
    OK(cuStreamCreate(&stream, 1));
    EQUAL(cuStreamSynchronize(first.stream), 400);
    FAULT("wrong-context");
    OK(cuStreamDestroy_v2(stream));
    OK(cuDevicePrimaryCtxRelease_v2(1));
    OK(cuCtxSetCurrent(first.context));
});

// ---- memory

TEST(memory_is_limited_and_returned, [] {
    Device d;
    size_t free_before = 0, free_after = 0, total = 0;
    OK(cuMemGetInfo_v2(&free_before, &total));
    CUdeviceptr large = 0, more = 0;
    OK(cuMemAlloc_v2(&large, total / 2 + 1));
    EQUAL(cuMemAlloc_v2(&more, total / 2 + 1), 2);
    EQUAL(cuMemAlloc_v2(&more, 0), 1);
    OK(cuMemFree_v2(large));
    OK(cuMemGetInfo_v2(&free_after, &total));
    EQUAL(static_cast<long long>(free_after), static_cast<long long>(free_before));
});

TEST(fresh_memory_is_poison, [] {
    Device d;
    Memory m(64);
    for (float value : m.floats()) {
        CHECK(value != value);
    }
});

TEST(double_free, [] {
    Device d;
    CUdeviceptr m = 0;
    OK(cuMemAlloc_v2(&m, 64));
    OK(cuMemFree_v2(m));
    EQUAL(cuMemFree_v2(m), 1);
    FAULT("free-of-no-allocation");
    char host[16];
    EQUAL(cuMemFreeHost(host), 1);
    FAULT("free-of-no-allocation");
});

TEST(copies_beyond_an_allocation, [] {
    Device d;
    Memory m(64);
    char host[128] = {};
    EQUAL(cuMemcpyHtoD_v2(m.address, host, 65), 1);
    EQUAL(cuMemcpyDtoHAsync_v2(host, m.address + 32, 33, d.stream), 1);
    EQUAL(cuMemsetD8Async(m.address + 64, 0, 1, d.stream), 1);
    EQUAL(cuMemsetD32Async(m.address + 2, 0, 1, d.stream), 1);
});

TEST(writing_into_the_rest_of_an_allocation, [] {
    Device d;
    Kernels kernels;
    CUdeviceptr m = 0;
    OK(cuMemAlloc_v2(&m, 100));
    Launch launch({m});
    launch.block = 1;
    launch.call.attribute[0] = 100;
    OK(launch.on(d.stream, kernels.function("write_at")));
    OK(cuMemFree_v2(m));
    FAULT("out-of-bounds");
});

TEST(stream_ordered_memory, [] {
    Device d;
    CUdeviceptr m = 0;
    std::vector<float> out(4);
    OK(cuMemAllocAsync(&m, 16, d.stream));
    OK(cuMemsetD32Async(m, 0x3F800000, 4, d.stream));
    OK(cuMemcpyDtoHAsync_v2(out.data(), m, 16, d.stream));
    OK(cuMemFreeAsync(m, d.stream));
    OK(cuMemFreeAsync(m, d.stream));  // found when the stream comes to it
    OK(cuStreamSynchronize(d.stream));
    CHECK(out == std::vector<float>(4, 1.0f));
    FAULT("free-of-no-allocation");
});

TEST(pinned_memory_is_read_when_the_copy_runs, [] {
    Device d;
    Memory m(4);
    Gate gate(d.stream);
    auto *staging = static_cast<float *>(pinned(4));
    *staging = 1;
    OK(cuMemcpyHtoDAsync_v2(m.address, staging, 4, d.stream));
    *staging = 2;  // too early: the copy is under way
    gate.open();
    OK(cuStreamSynchronize(d.stream));
    EQUAL(static_cast<int>(m.floats()[0]), 2);
    float pageable = 3;
    OK(cuMemcpyHtoDAsync_v2(m.address, &pageable, 4, d.stream));
    pageable = 4;  // staged before the call returned
    OK(cuStreamSynchronize(d.stream));
    EQUAL(static_cast<int>(m.floats()[0]), 3);
    OK(cuMemFreeHost(staging));
});

TEST(registered_memory, [] {
    Device d;
    static float host[1024];
    OK(cuMemHostRegister_v2(host, sizeof host, 0));
    EQUAL(cuMemHostRegister_v2(host, sizeof host, 0), 712);
    OK(cuMemHostUnregister(host));
    EQUAL(cuMemHostUnregister(host), 713);
});

// ---- streams and events

TEST(streams_are_ordered, [] {
    Device d;
    Kernels kernels;
    Memory m(std::vector<float>(32, 0.0f));
    for (int i = 0; i < 20; i++) {
        OK(adding(m, m, 1).on(d.stream, kernels.function("add_number")));
    }
    OK(cuStreamSynchronize(d.stream));
    EQUAL(static_cast<int>(m.floats()[31]), 20);
    OK(cuStreamQuery(d.stream));
});

TEST(events_order_streams, [] {
    Device d;
    Kernels kernels;
    Gate gate(d.stream);
    void *second = nullptr, *done = event();
    OK(cuStreamCreate(&second, 1));
    Memory a(std::vector<float>(32, 1.0f)), b(128);
    for (int i = 0; i < 5; i++) {
        OK(adding(a, a, 1).on(d.stream, kernels.function("add_number")));
    }
    OK(cuEventQuery(done));  // never recorded
    OK(cuEventRecord(done, d.stream));
    EQUAL(cuEventQuery(done), 600);
    OK(cuStreamWaitEvent(second, done, 0));
    OK(adding(a, b, 10).on(second, kernels.function("add_number")));
    EQUAL(cuStreamQuery(second), 600);
    gate.open();
    OK(cuStreamSynchronize(second));
    OK(cuEventQuery(done));
    EQUAL(static_cast<int>(b.floats()[0]), 16);
    OK(cuEventDestroy_v2(done));
    OK(cuStreamDestroy_v2(second));
});

TEST(timing, [] {
    Device d;
    void *from = event(0), *to = event(0), *untimed = event(2);
    float milliseconds = -1;
    OK(cuEventRecord(from, d.stream));
    OK(cuEventRecord(to, d.stream));
    OK(cuEventRecord(untimed, d.stream));
    OK(cuStreamSynchronize(d.stream));
    OK(cuEventElapsedTime(&milliseconds, from, to));
    CHECK(milliseconds >= 0);
    EQUAL(cuEventElapsedTime(&milliseconds, from, untimed), 400);
    for (void *e : {from, to, untimed}) {
        OK(cuEventDestroy_v2(e));
    }
});

TEST(destroyed_handles, [] {
    Device d;
    void *gone = event(), *stream = nullptr;
    OK(cuEventDestroy_v2(gone));
    EQUAL(cuEventRecord(gone, d.stream), 400);
    FAULT("use-after-destroy");
    OK(cuStreamCreate(&stream, 1));
    OK(cuStreamDestroy_v2(stream));
    EQUAL(cuStreamSynchronize(stream), 400);
    FAULT("use-after-destroy");
    EQUAL(cuEventQuery(d.stream), 400);  // a stream is no event
    FAULT("invalid-handle");
});

TEST(default_stream, [] {
    Device d;
    Memory m(16);
    void *stream = nullptr;
    EQUAL(cuMemsetD8Async(m.address, 0, 16, nullptr), 400);
    FAULT("default-stream");
    EQUAL(cuStreamCreate(&stream, 0), 1);
    FAULT("default-stream");
});

// ---- images and launches

TEST(images_are_for_a_chip, {{"sm", "100"}}, [] {
    Device d;
    void *module = nullptr;
    char log[256] = {};
    int names[] = {5, 6};
    void *values[] = {log, reinterpret_cast<void *>(sizeof log)};
    EQUAL(cuModuleLoadDataEx(&module, image("kernels", "sm_90a.cubin").c_str(), 2, names, values), 209);
    CHECK(std::string(log).find("sm_90") != std::string::npos);
    EQUAL(cuModuleLoadDataEx(&module, image("kernels", "sm_80.cubin").c_str(), 0, nullptr, nullptr), 209);
    OK(cuModuleLoadDataEx(&module, image("kernels", "sm_100f.cubin").c_str(), 0, nullptr, nullptr));
    OK(cuModuleUnload(module));
    OK(cuModuleLoadDataEx(&module, image("kernels", "compute_80.ptx").c_str(), 0, nullptr, nullptr));
    OK(cuModuleUnload(module));
});

TEST(bad_images, {{"driver", "12080"}}, [] {
    Device d;
    void *module = nullptr;
    std::string cubin = image("kernels"), other = cubin;
    other[18] = 62;  // x86-64
    EQUAL(cuModuleLoadDataEx(&module, other.c_str(), 0, nullptr, nullptr), 200);
    EQUAL(cuModuleLoadDataEx(&module, std::string(256, 'x').c_str(), 0, nullptr, nullptr), 200);
    EQUAL(cuModuleLoadDataEx(&module, image("kernels", "compute_80.ptx").c_str(), 0, nullptr, nullptr), 222);
});

TEST(functions_have_one_parameter, [] {
    Device d;
    Kernels kernels;
    void *function = nullptr;
    size_t offset = 1, bytes = 0;
    EQUAL(cuModuleGetFunction(&function, kernels.module, "no_such_kernel"), 500);
    OK(cuFuncGetParamInfo(kernels.function("add_number"), 0, &offset, &bytes));
    EQUAL(static_cast<long long>(offset), 0);
    EQUAL(static_cast<long long>(bytes), sizeof(weft::Call));
    EQUAL(cuFuncGetParamInfo(kernels.function("add_number"), 1, &offset, &bytes), 1);
});

TEST(launches_beyond_limits, [] {
    Device d;
    Kernels kernels;
    void *function = kernels.function("add_number");
    auto refused = [&](unsigned grid, unsigned block, unsigned shared_bytes, int code) {
        Launch launch;
        launch.grid = grid;
        launch.block = block;
        launch.shared_bytes = shared_bytes;
        EQUAL(launch.on(d.stream, function), code);
        FAULT("launch-refused");
    };
    refused(0, 32, 0, 1);
    refused(1, 0, 0, 1);
    refused(1, 2048, 0, 1);
    refused(1, 512, 0, 701);         // the kernel is made for 256
    refused(1, 32, (48 << 10) + 1, 1);
    EQUAL(cuFuncSetAttribute(function, 8, 232449), 1);
    OK(cuFuncSetAttribute(function, 8, 100000));
    refused(1, 32, 100001, 1);
    CUlaunchConfig config{{1, 1, 1}, {1, 1, 1}, 0, d.stream, nullptr, 0};
    EQUAL(cuLaunchKernelEx(&config, function, nullptr, nullptr), 1);
    FAULT("launch-parameters");
});

TEST(launch_attributes, [] {
    Device d;
    Kernels kernels;
    Memory m(std::vector<float>(128, 0.0f));
    Launch launch = adding(m, m, 1);
    void *parameters[] = {&launch.call};
    auto with = [&](unsigned id, unsigned x, unsigned y, unsigned z) {
        unsigned attribute[18] = {id, 0, x, y, z};
        CUlaunchConfig config{{4, 1, 1}, {32, 1, 1}, 0, d.stream, attribute, 1};
        return cuLaunchKernelEx(&config, kernels.function("add_number"), parameters, nullptr);
    };
    OK(with(6, 1, 0, 0));
    FAULT("");
    OK(with(4, 2, 1, 1));
    EQUAL(with(4, 3, 1, 1), 912);   // does not divide the grid
    FAULT("launch-refused");
    EQUAL(with(4, 16, 1, 1), 912);  // too large
    FAULT("launch-refused");
    EQUAL(with(77, 1, 0, 0), 1);
    FAULT("launch-refused");
    OK(cuStreamSynchronize(d.stream));
    EQUAL(static_cast<int>(m.floats()[127]), 2);
});

TEST(an_early_start_needs_an_image_that_waits, [] {
    Device d;
    Memory m(std::vector<float>(32, 0.0f));
    void *module = nullptr, *function = nullptr;
    std::string ptx = image("kernels", "compute_80.ptx");
    OK(cuModuleLoadDataEx(&module, ptx.data(), 0, nullptr, nullptr));
    OK(cuModuleGetFunction(&function, module, "add_number"));
    Launch launch = adding(m, m, 1);
    void *parameters[] = {&launch.call};
    unsigned attribute[18] = {6, 0, 1};
    CUlaunchConfig config{{1, 1, 1}, {32, 1, 1}, 0, d.stream, attribute, 1};
    OK(cuLaunchKernelEx(&config, function, parameters, nullptr));
    FAULT("no-dependency-wait");
    OK(cuStreamSynchronize(d.stream));
    OK(cuModuleUnload(module));
});

TEST(injected_failures, {{"fail", "cuMemAlloc:2:2,kernel:2:719"}}, [] {
    Device d;
    Kernels kernels;
    Memory m(std::vector<float>(32, 0.0f));
    CUdeviceptr second = 0;
    EQUAL(cuMemAlloc_v2(&second, 16), 2);
    OK(adding(m, m, 1).on(d.stream, kernels.function("add_number")));
    OK(cuStreamSynchronize(d.stream));
    OK(adding(m, m, 1).on(d.stream, kernels.function("add_number")));
    EQUAL(cuStreamSynchronize(d.stream), 719);
    EQUAL(cuMemAlloc_v2(&second, 16), 719);
});

// ---- captures and graphs

TEST(a_captured_graph_runs_again, [] {
    Device d;
    Kernels kernels;
    Memory m(std::vector<float>(32, 5.0f)), copy(128);
    void *graph = captured(d.stream, [&] {
        OK(cuMemsetD8Async(m.address, 0, 128, d.stream));
        OK(adding(m, m, 3).on(d.stream, kernels.function("add_number")));
        OK(adding(m, m, 4).on(d.stream, kernels.function("add_number")));
        OK(cuMemcpyDtoDAsync_v2(copy.address, m.address, 128, d.stream));
    });
    EQUAL(static_cast<int>(m.floats()[0]), 5);  // nothing has run
    void *executable = nullptr;
    OK(cuGraphInstantiateWithFlags(&executable, graph, 0));
    OK(cuGraphDestroy(graph));
    for (int i = 0; i < 3; i++) {
        OK(cuGraphLaunch(executable, d.stream));
    }
    OK(cuStreamSynchronize(d.stream));
    EQUAL(static_cast<int>(m.floats()[31]), 7);
    EQUAL(static_cast<int>(copy.floats()[31]), 7);
    OK(cuGraphExecDestroy(executable));
    EQUAL(cuGraphLaunch(executable, d.stream), 400);
    FAULT("use-after-destroy");
});

TEST(executable_graphs_take_new_parameters, [] {
    Device d;
    Kernels kernels;
    Memory m(std::vector<float>(32, 0.0f));
    auto add = [&](long long number) {
        return captured(d.stream, [&] { OK(adding(m, m, number).on(d.stream, kernels.function("add_number"))); });
    };
    void *first = add(1), *second = add(10), *executable = nullptr;
    void *other = captured(d.stream, [&] { OK(cuMemsetD8Async(m.address, 0, 128, d.stream)); });
    OK(cuGraphInstantiateWithFlags(&executable, first, 0));
    int result[6] = {};
    OK(cuGraphExecUpdate_v2(executable, second, result));
    OK(cuGraphLaunch(executable, d.stream));
    OK(cuStreamSynchronize(d.stream));
    EQUAL(static_cast<int>(m.floats()[0]), 10);
    EQUAL(cuGraphExecUpdate_v2(executable, other, result), 910);
    EQUAL(result[0], 3);
    for (void *graph : {first, second, other}) {
        OK(cuGraphDestroy(graph));
    }
    OK(cuGraphExecDestroy(executable));
});

TEST(captures_fork_and_join, [] {
    Device d;
    Kernels kernels;
    void *side = nullptr, *fork = event(), *join = event(), *executable = nullptr;
    OK(cuStreamCreate(&side, 1));
    Memory a(std::vector<float>(32, 0.0f)), b(std::vector<float>(32, 0.0f));
    auto forked = [&](bool joins) {
        OK(cuStreamBeginCapture_v2(d.stream, 1));
        OK(adding(a, a, 1).on(d.stream, kernels.function("add_number")));
        OK(cuEventRecord(fork, d.stream));
        OK(cuStreamWaitEvent(side, fork, 0));
        OK(adding(a, b, 10).on(side, kernels.function("add_number")));
        OK(cuEventRecord(join, side));
        if (joins) {
            OK(cuStreamWaitEvent(d.stream, join, 0));
        }
    };
    void *graph = nullptr;
    forked(true);
    OK(cuStreamEndCapture(d.stream, &graph));
    OK(cuGraphInstantiateWithFlags(&executable, graph, 0));
    OK(cuGraphLaunch(executable, d.stream));
    OK(cuStreamSynchronize(d.stream));
    EQUAL(static_cast<int>(b.floats()[0]), 11);
    OK(cuGraphExecDestroy(executable));
    OK(cuGraphDestroy(graph));
    forked(false);
    EQUAL(cuStreamEndCapture(d.stream, &graph), 904);
    forked(true);
    EQUAL(cuStreamEndCapture(side, &graph), 903);
    EQUAL(cuStreamEndCapture(d.stream, &graph), 901);
    OK(cuEventDestroy_v2(fork));
    OK(cuEventDestroy_v2(join));
    OK(cuStreamDestroy_v2(side));
});

/** What a graph retains lives as long as the graph, what was made of it, and what of that is under way. */
TEST(what_a_graph_retains_lives_as_long, [] {
    Device d;
    static std::atomic<int> gone;
    gone = 0;
    void *object = nullptr, *graph = nullptr, *captured = nullptr, *executable = nullptr;
    int status = 0;
    const auto count = [](void *by) { gone += static_cast<int>(reinterpret_cast<intptr_t>(by)); };
    const auto soon = [&](int expected) {
        for (int i = 0; i < 5000 && gone != expected; i++) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        return gone.load();
    };
    EQUAL(cuUserObjectCreate(&object, nullptr, count, 1, 0), 1);
    OK(cuStreamBeginCapture_v2(d.stream, 1));
    OK(cuLaunchHostFunc(d.stream, [](void *) {}, nullptr));
    OK(cuStreamGetCaptureInfo_v2(d.stream, &status, nullptr, &graph, nullptr, nullptr));
    EQUAL(status, 1);
    OK(cuUserObjectCreate(&object, reinterpret_cast<void *>(intptr_t{7}), count, 1, 1));
    OK(cuGraphRetainUserObject(graph, object, 1, 1));
    EQUAL(cuGraphRetainUserObject(graph, object, 1, 1), 1);  // it was given away
    OK(cuStreamEndCapture(d.stream, &captured));
    EQUAL(captured == graph, true);
    OK(cuGraphInstantiateWithFlags(&executable, graph, 0));
    OK(cuGraphDestroy(graph));
    OK(cuGraphLaunch(executable, d.stream));
    OK(cuStreamSynchronize(d.stream));
    EQUAL(gone.load(), 0);
    OK(cuGraphExecDestroy(executable));
    EQUAL(soon(7), 7);
});

namespace {

/** The call is refused with the code while a stream captures, and the capture is lost. */
template <class Body>
void forbidden(int code, Body body) {
    Device d;
    void *graph = nullptr;
    OK(cuStreamBeginCapture_v2(d.stream, 1));
    EQUAL(body(d), code);
    EQUAL(cuStreamEndCapture(d.stream, &graph), 901);
    CHECK(graph == nullptr);
}

}  // namespace

TEST(forbidden_during_capture, [] {
    CUdeviceptr address = 0;
    void *out = nullptr;
    forbidden(900, [&](Device &) { return cuMemAlloc_v2(&address, 16); });
    forbidden(900, [&](Device &d) { return cuMemAllocAsync(&address, 16, d.stream); });
    forbidden(900, [&](Device &) { return cuMemHostAlloc(&out, 16, 0); });
    forbidden(900, [&](Device &) { return cuCtxSynchronize(); });
    forbidden(900, [&](Device &d) { return cuStreamSynchronize(d.stream); });
    forbidden(900, [&](Device &d) { return cuStreamQuery(d.stream); });
    forbidden(900, [&](Device &) { return cuModuleLoadDataEx(&out, image("kernels").c_str(), 0, nullptr, nullptr); });
    forbidden(905, [&](Device &d) {
        void *outside = event(), *other = nullptr;
        OK(cuStreamCreate(&other, 1));
        OK(cuEventRecord(outside, other));
        int code = cuStreamWaitEvent(d.stream, outside, 0);
        OK(cuEventDestroy_v2(outside));
        OK(cuStreamDestroy_v2(other));
        return code;
    });
});

TEST(captured_events_cannot_be_asked, [] {
    Device d;
    void *e = event(), *graph = nullptr;
    OK(cuStreamBeginCapture_v2(d.stream, 2));  // relaxed
    OK(cuEventRecord(e, d.stream));
    EQUAL(cuEventQuery(e), 907);
    EQUAL(cuStreamEndCapture(d.stream, &graph), 901);
    OK(cuEventDestroy_v2(e));
});

TEST(captures_and_threads, [] {
    Device d;
    void *graph = nullptr;
    CUdeviceptr m = 0;
    auto elsewhere = [&](auto body) {
        std::thread([&] {
            OK(cuCtxSetCurrent(d.context));
            body();
        }).join();
    };
    EQUAL(cuStreamEndCapture(d.stream, &graph), 401);
    OK(cuStreamBeginCapture_v2(d.stream, 1));
    EQUAL(cuStreamBeginCapture_v2(d.stream, 1), 401);
    elsewhere([&] {
        EQUAL(cuStreamEndCapture(d.stream, &graph), 908);
        OK(cuMemAlloc_v2(&m, 16));  // a capture of another thread forbids nothing here
        OK(cuMemFree_v2(m));
    });
    OK(cuStreamEndCapture(d.stream, &graph));
    OK(cuGraphDestroy(graph));
    OK(cuStreamBeginCapture_v2(d.stream, 0));  // global
    elsewhere([&] { EQUAL(cuMemAlloc_v2(&m, 16), 900); });
    EQUAL(cuStreamEndCapture(d.stream, &graph), 901);
});

TEST(graphs_follow_freed_memory, [] {
    Device d;
    void *executable = nullptr;
    CUdeviceptr m = 0;
    OK(cuMemAlloc_v2(&m, 16));
    void *graph = captured(d.stream, [&] { OK(cuMemsetD8Async(m, 0, 16, d.stream)); });
    OK(cuGraphInstantiateWithFlags(&executable, graph, 0));
    OK(cuGraphDestroy(graph));
    OK(cuMemFree_v2(m));
    OK(cuGraphLaunch(executable, d.stream));
    EQUAL(cuStreamSynchronize(d.stream), 700);
    FAULT("illegal-address");
});
