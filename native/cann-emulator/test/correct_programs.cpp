// Correct programs: right results, no faults, no leaks.
#include <atomic>
#include <cmath>
#include <cstring>
#include <thread>

#include "harness.h"

using namespace test;

namespace {

TEST(add_computes, [] {
    Buffer a({4, 8}), b({4, 8}), out({4, 8});
    upload(a.data, std::vector<float>(32, 1.5f));
    upload(b.data, std::vector<float>(32, 2));
    aclrtStream stream = make_stream();
    OK(add(a, b, out, stream));
    OK(aclrtSynchronizeStream(stream));
    for (float v : download(out.data, 32)) {
        CHECK(v == 3.5f);
    }
    OK(aclrtDestroyStream(stream));
    a.release();
    b.release();
    out.release();
});

TEST(counts_follow_the_program, [] {
    const int64_t objects = weftEmulatorCount("objects"), bytes = weftEmulatorCount("device");
    Buffer a({16}), b({16}), out({16});
    EQUAL(weftEmulatorCount("objects"), objects + 3);
    EQUAL(weftEmulatorCount("device"), bytes + 3 * 64);
    aclOpExecutor* executor = add_executor(a.tensor, b.tensor, out.tensor);
    EQUAL(weftEmulatorCount("first phases"), 1);
    EQUAL(weftEmulatorCount("second phases"), 0);
    OK(aclnnAdd(nullptr, 0, executor, nullptr));
    EQUAL(weftEmulatorCount("second phases"), 1);
    OK(aclrtSynchronizeStream(nullptr));
    a.release();
    b.release();
    out.release();
    EQUAL(weftEmulatorCount("objects"), objects);
    EQUAL(weftEmulatorCount("device"), bytes);
    EQUAL(weftEmulatorCount("teapots"), -1);
});

TEST(fresh_memory_is_poison, [] {
    void* p = device_bytes(64);
    for (float v : download(p, 16)) {
        CHECK(std::isnan(v));
    }
    CHECK(reinterpret_cast<uint64_t>(p) % 64 == 0);
    OK(aclrtFree(p));
});

TEST(memory_information, {{"memory", "1048576"}}, [] {
    size_t free_before = 0, free_after = 0, total = 0;
    OK(aclrtGetMemInfo(ACL_HBM_MEM, &free_before, &total));
    EQUAL(total, 1048576);
    void* p = device_bytes(1000);
    OK(aclrtGetMemInfo(ACL_HBM_MEM, &free_after, &total));
    EQUAL(free_before - free_after, 1024);
    OK(aclrtFree(p));
});

TEST(old_products_pad_allocations, {{"soc", "Ascend910B1"}, {"memory", "1048576"}}, [] {
    size_t before = 0, after = 0, total = 0;
    OK(aclrtGetMemInfo(ACL_HBM_MEM, &before, &total));
    void* p = device_bytes(1000);
    OK(aclrtGetMemInfo(ACL_HBM_MEM, &after, &total));
    EQUAL(before - after, 1056);
    CHECK(std::string(aclrtGetSocName()) == "Ascend910B1");
    OK(aclrtFree(p));
});

TEST(events_order_streams, [] {
    Buffer a({1024}), b({1024}), out({1024}), last({1024});
    upload(a.data, std::vector<float>(1024, 1));
    upload(b.data, std::vector<float>(1024, 1));
    aclrtStream first = make_stream(), second = make_stream();
    aclrtEvent event = make_event(ACL_EVENT_SYNC | ACL_EVENT_TIME_LINE),
        end = make_event(ACL_EVENT_SYNC | ACL_EVENT_TIME_LINE);
    OK(add(a, b, out, first));
    OK(aclrtRecordEvent(event, first));
    OK(aclrtStreamWaitEvent(second, event));
    OK(add(out, b, last, second));
    OK(aclrtRecordEvent(end, second));
    OK(aclrtSynchronizeEvent(end));
    CHECK(download(last.data, 1)[0] == 3);
    float ms = -1;
    OK(aclrtEventElapsedTime(&ms, event, end));
    CHECK(ms >= 0);
    aclrtEventRecordedStatus status;
    OK(aclrtQueryEventStatus(event, &status));
    EQUAL(status, ACL_EVENT_RECORDED_STATUS_COMPLETE);
    for (aclrtEvent e : {event, end}) {
        OK(aclrtDestroyEvent(e));
    }
    for (aclrtStream s : {first, second}) {
        OK(aclrtSynchronizeStream(s));
        OK(aclrtDestroyStream(s));
    }
    for (Buffer* buffer : {&a, &b, &out, &last}) {
        buffer->release();
    }
});

TEST(pinned_copies_are_late, {{"delay", "20000"}}, [] {
    aclrtStream stream = make_stream();
    float* host = static_cast<float*>(pinned_bytes(64));
    void* device = device_bytes(64);
    for (int i = 0; i < 16; i++) {
        host[i] = static_cast<float>(i);
    }
    OK(aclrtMemcpyAsync(device, 64, host, 64, ACL_MEMCPY_HOST_TO_DEVICE, stream));
    OK(aclrtSynchronizeStream(stream));
    OK(aclrtMemcpyAsync(host, 64, device, 64, ACL_MEMCPY_DEVICE_TO_HOST, stream));
    OK(aclrtSynchronizeStream(stream));
    CHECK(host[15] == 15);
    OK(aclrtFree(device));
    OK(aclrtFreeHost(host));
    OK(aclrtDestroyStream(stream));
});

TEST(pageable_copies_block, [] {
    aclrtStream stream = make_stream();
    Buffer a({64}), b({64}), out({64});
    upload(a.data, std::vector<float>(64, 1));
    upload(b.data, std::vector<float>(64, 2));
    OK(add(a, b, out, stream));
    std::vector<float> host(64);
    OK(aclrtMemcpyAsync(host.data(), 256, out.data, 256, ACL_MEMCPY_DEVICE_TO_HOST, stream));
    CHECK(host[63] == 3);  // no synchronisation: the call has waited
    OK(aclrtDestroyStream(stream));
    for (Buffer* buffer : {&a, &b, &out}) {
        buffer->release();
    }
});

TEST(nothing_to_copy_is_fine, [] {
    OK(aclrtMemcpy(nullptr, 0, nullptr, 0, ACL_MEMCPY_HOST_TO_DEVICE));
    OK(aclrtMemset(nullptr, 0, 0, 0));
    OK(aclDestroyTensor(nullptr));
    OK(aclDestroyTensorList(nullptr));
});

TEST(graph_replays_read_memory_again, [] {
    Buffer a({16}), b({16}), out({16});
    upload(b.data, std::vector<float>(16, 10));
    aclrtStream stream = make_stream();
    OK(aclmdlRICaptureBegin(stream, ACL_MODEL_RI_CAPTURE_MODE_GLOBAL));
    OK(add(a, b, out, stream));
    OK(aclrtMemsetAsync(a.data, 64, 0, 64, stream));
    aclmdlRI graph = nullptr;
    OK(aclmdlRICaptureEnd(stream, &graph));
    for (float x : {1.0f, 2.0f}) {
        upload(a.data, std::vector<float>(16, x));
        OK(aclmdlRIExecuteAsync(graph, stream));
        OK(aclrtSynchronizeStream(stream));
        CHECK(download(out.data, 16)[3] == x + 10);
        CHECK(download(a.data, 16)[3] == 0);
    }
    OK(aclmdlRIDestroy(graph));
    OK(aclrtDestroyStream(stream));
    for (Buffer* buffer : {&a, &b, &out}) {
        buffer->release();
    }
});

TEST(graph_with_fork_and_join, [] {
    Buffer a({16}), b({16}), left({16}), right({16}), out({16});
    upload(a.data, std::vector<float>(16, 1));
    upload(b.data, std::vector<float>(16, 2));
    aclrtStream main = make_stream(), side = make_stream();
    aclrtEvent fork = make_event(), join = make_event();
    OK(aclmdlRICaptureBegin(main, ACL_MODEL_RI_CAPTURE_MODE_THREAD_LOCAL));
    OK(aclrtRecordEvent(fork, main));
    OK(aclrtStreamWaitEvent(side, fork));
    OK(add(a, b, right, side));
    OK(add(a, a, left, main));
    OK(aclrtRecordEvent(join, side));
    OK(aclrtStreamWaitEvent(main, join));
    OK(add(left, right, out, main));
    aclmdlRI graph = nullptr;
    OK(aclmdlRICaptureEnd(main, &graph));
    OK(aclmdlRIExecute(graph, -1));
    CHECK(download(out.data, 16)[0] == 5);
    OK(aclmdlRIDestroy(graph));
    for (aclrtEvent e : {fork, join}) {
        OK(aclrtDestroyEvent(e));
    }
    for (aclrtStream s : {main, side}) {
        OK(aclrtDestroyStream(s));
    }
    for (Buffer* buffer : {&a, &b, &left, &right, &out}) {
        buffer->release();
    }
});

TEST(host_functions_run_in_order, [] {
    Buffer a({16}), b({16}), out({16});
    upload(a.data, std::vector<float>(16, 1));
    upload(b.data, std::vector<float>(16, 2));
    aclrtStream stream = make_stream();
    static std::atomic<bool> called;
    called = false;
    OK(add(a, b, out, stream));
    OK(aclrtLaunchHostFunc(stream, [](void* flag) { *static_cast<std::atomic<bool>*>(flag) = true; }, &called));
    while (!called) {
        std::this_thread::yield();
    }
    CHECK(download(out.data, 1)[0] == 3);  // the function runs after the addition, the program after the function
    OK(aclrtSynchronizeStream(stream));
    OK(aclrtDestroyStream(stream));
    for (Buffer* buffer : {&a, &b, &out}) {
        buffer->release();
    }
});

TEST(repeatable_executors_take_new_addresses, [] {
    Buffer a({16}), b({16}), out({16}), other({16});
    upload(a.data, std::vector<float>(16, 1));
    upload(b.data, std::vector<float>(16, 2));
    upload(other.data, std::vector<float>(16, 100));
    aclrtStream stream = make_stream();
    aclOpExecutor* executor = add_executor(a.tensor, b.tensor, out.tensor);
    OK(aclSetAclOpExecutorRepeatable(executor));
    OK(aclnnAdd(nullptr, 0, executor, stream));
    OK(aclrtSynchronizeStream(stream));
    CHECK(download(out.data, 1)[0] == 3);
    OK(aclSetInputTensorAddr(executor, 1, b.tensor, other.data));
    OK(aclnnAdd(nullptr, 0, executor, stream));
    OK(aclrtSynchronizeStream(stream));
    CHECK(download(out.data, 1)[0] == 101);
    EQUAL(aclSetInputTensorAddr(executor, 7, b.tensor, other.data), 161002);
    EQUAL(aclSetInputTensorAddr(executor, 0, nullptr, other.data), 561103);
    OK(aclDestroyAclOpExecutor(executor));
    OK(aclrtDestroyStream(stream));
    for (Buffer* buffer : {&a, &b, &out, &other}) {
        buffer->release();
    }
});

TEST(descriptions_may_go_after_phase_2, {{"delay", "20000"}}, [] {
    Buffer a({16}), out({16});
    upload(a.data, std::vector<float>(16, 3));
    aclrtStream stream = make_stream();
    OK(aclnnMuls(nullptr, 0, muls_executor(a.tensor, 2, out.tensor), stream));
    OK(aclDestroyTensor(a.tensor));
    OK(aclDestroyTensor(out.tensor));
    OK(aclrtSynchronizeStream(stream));
    CHECK(download(out.data, 1)[0] == 6);
    OK(aclrtFree(a.data));
    OK(aclrtFree(out.data));
    OK(aclrtDestroyStream(stream));
});

TEST(lists_own_their_members, [] {
    Buffer a({4}), b({4}), out({8});
    upload(a.data, {1, 2, 3, 4});
    upload(b.data, {5, 6, 7, 8});
    const aclTensor* members[] = {a.tensor, b.tensor};
    aclTensorList* list = aclCreateTensorList(members, 2);
    uint64_t workspace = 0;
    aclOpExecutor* executor = nullptr;
    OK(aclnnCatGetWorkspaceSize(list, 0, out.tensor, &workspace, &executor));
    OK(aclnnCat(nullptr, 0, executor, nullptr));
    OK(aclrtSynchronizeStream(nullptr));
    CHECK(download(out.data, 8)[6] == 7);
    OK(aclDestroyTensorList(list));
    OK(aclrtFree(a.data));
    OK(aclrtFree(b.data));
    out.release();
});

TEST(strided_views, [] {
    void* data = device_bytes(32 * 4);
    std::vector<float> values(32);
    for (int i = 0; i < 32; i++) {
        values[i] = static_cast<float>(i);
    }
    upload(data, values);
    int64_t dims[] = {8, 4}, strides[] = {1, 8}, storage[] = {4, 8};
    aclTensor* transposed = aclCreateTensor(dims, 2, ACL_FLOAT, strides, 0, ACL_FORMAT_ND, storage, 2, data);
    Buffer out({8, 4});
    OK(aclnnMuls(nullptr, 0, muls_executor(transposed, 1, out.tensor), nullptr));
    OK(aclrtSynchronizeStream(nullptr));
    std::vector<float> got = download(out.data, 32);
    CHECK(got[0] == 0 && got[1] == 8 && got[4] == 1 && got[31] == 31);
    OK(aclDestroyTensor(transposed));
    OK(aclrtFree(data));
    out.release();
});

TEST(threads_share_a_device, [] {
    std::thread other([] {
        void* p = nullptr;
        EQUAL(aclrtMalloc(&p, 64, ACL_MEM_MALLOC_HUGE_FIRST), 107002);
        CHECK(message_has("aclrtSetDevice"));
        CHECK(aclGetRecentErrMsg() == nullptr);  // reading clears
        OK(aclrtSetDevice(0));
        p = device_bytes(64);
        OK(aclrtFree(p));
        OK(aclrtResetDevice(0));
    });
    other.join();
    FAULTS();
});

TEST(peers_copy_once_enabled, [] {
    void* here = device_bytes(64);
    upload(here, std::vector<float>(16, 4));
    OK(aclrtSetDevice(1));
    void* there = device_bytes(64);
    EQUAL(aclrtMemcpy(there, 64, here, 64, ACL_MEMCPY_DEVICE_TO_DEVICE), 107000);
    OK(aclrtDeviceEnablePeerAccess(0, 0));
    OK(aclrtMemcpy(there, 64, here, 64, ACL_MEMCPY_DEVICE_TO_DEVICE));
    CHECK(download(there, 16)[0] == 4);
    OK(aclrtFree(there));
    OK(aclrtSetDevice(0));
    OK(aclrtFree(here));
});

TEST(it_says_what_it_is, {{"version", "8.5.1"}}, [] {
    aclCANNPackageVersion version;
    OK(aclsysGetCANNVersion(0, &version));
    CHECK(std::strstr(version.version, "WEFT EMULATOR") != nullptr);
    int32_t number = 0;
    char package[] = "runtime";
    OK(aclsysGetVersionNum(package, &number));
    EQUAL(number, 80501000);
    OK(aclrtSetSysParamOpt(0, 1));
    int64_t deterministic = 0;
    OK(aclrtGetSysParamOpt(0, &deterministic));
    EQUAL(deterministic, 1);
    void* nothing = nullptr;
    EQUAL(aclrtMalloc(&nothing, 0, ACL_MEM_MALLOC_HUGE_FIRST), 100000);
    EQUAL(aclrtPeekAtLastError(0), 100000);
    EQUAL(aclrtGetLastError(0), 100000);
    EQUAL(aclrtGetLastError(0), 0);
    CHECK(aclFloat16ToFloat(aclFloatToFloat16(1.0f / 3)) == 0.333251953125f);
    uint32_t devices = 0;
    OK(aclrtGetDeviceCount(&devices));
    EQUAL(devices, 2);
    int64_t cores = 0;
    OK(aclrtGetDeviceInfo(0, ACL_DEV_ATTR_CUBE_CORE_NUM, &cores));
    CHECK(cores > 0);
});

}  // namespace
