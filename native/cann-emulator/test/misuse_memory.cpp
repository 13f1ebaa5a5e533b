// Misuse of memory, copies and order between streams and the host.
#include <cmath>
#include <cstring>
#include <thread>

#include "harness.h"

using namespace test;

namespace {

void release(std::initializer_list<Buffer*> buffers) {
    for (Buffer* buffer : buffers) {
        buffer->release();
    }
}

TEST(device_memory_traps_the_host, [] {
    char* p = static_cast<char*>(device_bytes(64));
    CHECK(traps([&] { volatile char c = *p; (void)c; }));
    CHECK(traps([&] { *p = 1; }));
    OK(aclrtFree(p));
});

TEST(freed_pinned_memory_traps, [] {
    char* p = static_cast<char*>(pinned_bytes(64));
    CHECK(!traps([&] { *p = 1; }));
    OK(aclrtFreeHost(p));
    CHECK(traps([&] { *p = 1; }));
});

TEST(allocations, {{"memory", "4096"}}, [] {
    void* p = nullptr;
    EQUAL(aclrtMalloc(&p, 0, ACL_MEM_MALLOC_HUGE_FIRST), 100000);
    EQUAL(aclrtMalloc(&p, 5000, ACL_MEM_MALLOC_HUGE_FIRST), 207001);
    CHECK(p == nullptr && message_has("4096"));
});

TEST(injected_failures, {{"fail", "aclrtMalloc:2:207001,stream:1:507015"}}, [] {
    Buffer a({16});
    void* p = nullptr;
    EQUAL(aclrtMalloc(&p, 64, ACL_MEM_MALLOC_HUGE_FIRST), 207001);
    OK(aclrtMemsetAsync(a.data, 64, 0, 64, nullptr));
    EQUAL(aclrtSynchronizeStream(nullptr), 507015);
    CHECK(message_has("injected"));
    a.release();
});

TEST(free_twice_and_inside, [] {
    char* p = static_cast<char*>(device_bytes(64));
    EQUAL(aclrtFree(p + 32), 107000);
    FAULTS("invalid-free");
    OK(aclrtFree(p));
    EQUAL(aclrtFree(p), 107000);
    FAULTS("invalid-free");
    EQUAL(aclrtFreeHost(p), 107000);
    FAULTS("invalid-free");
});

TEST(free_in_use, [] {
    Buffer a({16}), b({16}), out({16});
    OK(add(a, b, out, nullptr));
    OK(aclrtFree(b.data));
    FAULTS("free-in-use");
    aclrtSynchronizeStream(nullptr);
    take_faults();  // whether the addition was faster is a matter of luck
    OK(aclDestroyTensor(b.tensor));
    a.release();
    out.release();
});

TEST(copies_check_capacity_and_kind, [] {
    char* device = static_cast<char*>(device_bytes(64));
    char host[128] = {};
    EQUAL(aclrtMemcpy(device, 32, host, 64, ACL_MEMCPY_HOST_TO_DEVICE), 100000);
    EQUAL(aclrtMemcpy(device, 64, host, 64, ACL_MEMCPY_DEVICE_TO_HOST), 107000);
    EQUAL(aclrtMemcpy(host, 64, device, 64, ACL_MEMCPY_HOST_TO_HOST), 107000);
    EQUAL(aclrtMemset(device, 16, 0, 32), 100000);
    FAULTS();
    EQUAL(aclrtMemcpy(device, 128, host, 128, ACL_MEMCPY_HOST_TO_DEVICE), 107000);
    FAULTS("tensor-bounds");
    EQUAL(aclrtMemcpyAsync(host, 64, host + 64, 64, ACL_MEMCPY_HOST_TO_HOST, nullptr), 207000);
    OK(aclrtFree(device));
    EQUAL(aclrtMemcpy(host, 64, device, 64, ACL_MEMCPY_DEVICE_TO_HOST), 107000);
    FAULTS("use-after-free");
});

TEST(missing_synchronisation, {{"delay", "50000"}}, [] {
    Buffer a({16}), b({16}), out({16});
    OK(add(a, b, out, nullptr));
    download(out.data, 16);
    FAULTS("race");
    OK(aclrtSynchronizeStream(nullptr));
    release({&a, &b, &out});
});

TEST(upload_under_a_running_operator, [] {
    Buffer a({16}), b({16}), out({16});
    OK(add(a, b, out, nullptr));
    upload(a.data, std::vector<float>(16, 1));
    FAULTS("race");
    OK(aclrtSynchronizeStream(nullptr));
    release({&a, &b, &out});
});

TEST(race_between_streams, [] {
    Buffer a({16}), b({16}), out({16}), last({16});
    aclrtStream first = make_stream(), second = make_stream();
    OK(add(a, b, out, first));
    OK(add(out, b, last, second));
    FAULTS("race");
    for (aclrtStream stream : {first, second}) {
        OK(aclrtSynchronizeStream(stream));
        OK(aclrtDestroyStream(stream));
    }
    release({&a, &b, &out, &last});
});

TEST(event_recorded_too_early, [] {
    Buffer a({16}), b({16}), out({16}), last({16});
    aclrtStream first = make_stream(), second = make_stream();
    aclrtEvent event = make_event();
    OK(aclrtRecordEvent(event, first));
    OK(add(a, b, out, first));
    OK(aclrtStreamWaitEvent(second, event));
    OK(add(out, b, last, second));
    FAULTS("race");
    for (aclrtStream stream : {first, second}) {
        OK(aclrtSynchronizeStream(stream));
        OK(aclrtDestroyStream(stream));
    }
    OK(aclrtDestroyEvent(event));
    release({&a, &b, &out, &last});
});

TEST(disjoint_rows_do_not_race, [] {
    Buffer block({4, 16}), b({16});
    char* rows = static_cast<char*>(block.data);
    aclrtStream first = make_stream(), second = make_stream();
    OK(aclrtMemsetAsync(rows, 64, 0, 64, first));
    OK(aclrtMemsetAsync(rows + 64, 64, 0, 64, second));
    for (aclrtStream stream : {first, second}) {
        OK(aclrtSynchronizeStream(stream));
        OK(aclrtDestroyStream(stream));
    }
    release({&block, &b});
});

TEST(pinned_memory_read_too_early, {{"delay", "100000"}}, [] {
    Buffer a({16});
    upload(a.data, std::vector<float>(16, 5));
    float* host = static_cast<float*>(pinned_bytes(64));
    OK(aclrtMemsetAsync(a.data, 64, 0, 64, nullptr));
    OK(aclrtMemcpyAsync(host, 64, a.data, 64, ACL_MEMCPY_DEVICE_TO_HOST, nullptr));
    CHECK(std::isnan(host[0]));  // late, and poisoned until then
    OK(aclrtSynchronizeStream(nullptr));
    CHECK(host[0] == 0);
    OK(aclrtFreeHost(host));
    a.release();
});

TEST(pinned_memory_freed_too_early, {{"delay", "100000"}}, [] {
    Buffer a({16});
    void* host = pinned_bytes(64);
    OK(aclrtMemcpyAsync(host, 64, a.data, 64, ACL_MEMCPY_DEVICE_TO_HOST, nullptr));
    OK(aclrtFreeHost(host));
    EQUAL(aclrtSynchronizeStream(nullptr), 507015);
    FAULTS("host-memory-freed");
    a.release();
});

TEST(late_errors_stick, [] {
    Buffer weight({4, 8}), indices({2}, ACL_INT64), out({2, 8});
    int64_t wrong[] = {1, 9};
    OK(aclrtMemcpy(indices.data, 16, wrong, 16, ACL_MEMCPY_HOST_TO_DEVICE));
    uint64_t workspace = 0;
    aclOpExecutor* executor = nullptr;
    OK(aclnnEmbeddingGetWorkspaceSize(weight.tensor, indices.tensor, out.tensor, &workspace, &executor));
    OK(aclnnEmbedding(nullptr, 0, executor, nullptr));
    EQUAL(aclrtSynchronizeStream(nullptr), 507015);
    CHECK(message_has("index 9 out of range"));
    CHECK(aclGetRecentErrMsg() == nullptr);
    void* p = nullptr;
    EQUAL(aclrtMalloc(&p, 64, ACL_MEM_MALLOC_HUGE_FIRST), 507015);
    EQUAL(aclrtMemsetAsync(out.data, 64, 0, 64, nullptr), 507015);
    EQUAL(add(weight, weight, weight, nullptr) == 0, 0);
    take_faults();
    release({&weight, &indices, &out});
});

TEST(messages_expire, {{"delay", "0"}}, [] {
    void* p = nullptr;
    EQUAL(aclrtMalloc(&p, 0, ACL_MEM_MALLOC_HUGE_FIRST), 100000);
    const char* message = aclGetRecentErrMsg();
    CHECK(std::strstr(message, "aclrtMalloc") != nullptr);
    int32_t device;
    OK(aclrtGetDevice(&device));
    CHECK(std::strstr(message, "aclrtMalloc") == nullptr);
});

TEST(sync_timeout, {{"delay", "300000"}, {"seed", "3"}}, [] {
    Buffer a({16});
    for (int i = 0; i < 8; i++) {
        OK(aclrtMemsetAsync(a.data, 64, i, 64, nullptr));
    }
    EQUAL(aclrtSynchronizeStreamWithTimeout(nullptr, 1), 507046);
    OK(aclrtSynchronizeStream(nullptr));
    a.release();
});

TEST(first_run_of_an_operator_takes_longer, {{"cold", "300"}, {"delay", "0"}}, [] {
    Buffer a({16}), b({16}), out({16});
    aclrtStream stream = make_stream();
    OK(add(a, b, out, stream));
    EQUAL(aclrtSynchronizeStreamWithTimeout(stream, 20), 507046);
    OK(aclrtSynchronizeStream(stream));
    FAULTS();
    OK(aclrtDestroyStream(stream));
    a.release();
    b.release();
    out.release();
});

TEST(events_need_their_flags, [] {
    aclrtStream stream = make_stream();
    aclrtEvent timing = make_event(ACL_EVENT_TIME_LINE), sync = make_event(ACL_EVENT_SYNC);
    OK(aclrtRecordEvent(timing, stream));
    OK(aclrtRecordEvent(sync, stream));
    EQUAL(aclrtStreamWaitEvent(stream, timing), 107000);
    float ms;
    OK(aclrtSynchronizeStream(stream));
    EQUAL(aclrtEventElapsedTime(&ms, timing, sync), 107000);
    EQUAL(aclrtResetEvent(sync, stream), 207000);
    OK(aclrtDestroyEvent(timing));
    EQUAL(aclrtRecordEvent(timing, stream), 107017);
    FAULTS("use-after-destroy");
    OK(aclrtDestroyEvent(sync));
    OK(aclrtDestroyStream(stream));
});

TEST(stream_destroyed_with_work, {{"delay", "100000"}}, [] {
    Buffer a({16});
    aclrtStream stream = make_stream();
    OK(aclrtMemsetAsync(a.data, 64, 0, 64, stream));
    OK(aclrtDestroyStream(stream));
    FAULTS("destroy-with-pending-work");
    OK(aclrtSynchronizeDevice());
    OK(aclrtFreeWithDevSync(a.data));
    FAULTS("free-in-use");  // nobody waited for the stream
    OK(aclDestroyTensor(a.tensor));
});

TEST(host_function_calls_the_runtime, [] {
    aclrtStream stream = make_stream();
    OK(aclrtLaunchHostFunc(stream, [](void*) {
        void* p = nullptr;
        EQUAL(aclrtMalloc(&p, 64, ACL_MEM_MALLOC_HUGE_FIRST), 107000);
    }, nullptr));
    OK(aclrtSynchronizeStream(stream));
    FAULTS("call-in-host-function");
    OK(aclrtDestroyStream(stream));
});

TEST(stream_limit, [] {
    std::vector<aclrtStream> streams;
    aclrtStream stream = nullptr;
    while (aclrtCreateStream(&stream) == 0) {
        streams.push_back(stream);
    }
    EQUAL(streams.size(), 1983);  // and the default stream
    EQUAL(aclrtCreateStream(&stream), 207008);
    for (aclrtStream s : streams) {
        OK(aclrtDestroyStream(s));
    }
});

TEST(leaks, [] {
    Buffer a({16});
    pinned_bytes(64);
    make_stream();
    make_event();
    OK(aclFinalize());
    std::string faults = take_faults();
    for (const char* what : {"aclTensor", "device allocations", "pinned", "aclrtStream", "aclrtEvent"}) {
        CHECK(faults.find(what) != std::string::npos);
    }
});

TEST(old_handles_in_a_new_world, [] {
    Buffer a({16});
    aclrtStream stream = make_stream();
    OK(aclFinalize());
    take_faults();
    OK(aclInit(nullptr));
    EQUAL(aclrtGetDevice(nullptr), 107002);  // the context is gone with the old world
    OK(aclrtSetDevice(0));
    EQUAL(aclrtDestroyStream(stream), 107017);
    FAULTS("use-after-destroy");
    EQUAL(aclDestroyTensor(a.tensor), 161002);
    FAULTS("double-destroy");
});

TEST(what_is_not_played_says_so, [] {
    aclrtBinHandle binary = nullptr;
    EQUAL(aclrtBinaryLoadFromFile("x", nullptr, &binary), 207000);
    CHECK(message_has("EMULATOR"));
});

}  // namespace
