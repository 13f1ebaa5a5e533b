// Misuse of graph capture.
#include <thread>

#include "harness.h"

using namespace test;

namespace {

struct Captured {
    Buffer a{{16}}, b{{16}}, out{{16}};
    aclrtStream stream = make_stream();

    void begin(aclmdlRICaptureMode mode = ACL_MODEL_RI_CAPTURE_MODE_GLOBAL) {
        OK(aclmdlRICaptureBegin(stream, mode));
        OK(add(a, b, out, stream));
    }

    int end() {
        aclmdlRI graph = nullptr;
        int code = aclmdlRICaptureEnd(stream, &graph);
        if (code == 0) {
            OK(aclmdlRIDestroy(graph));
        }
        return code;
    }

    void release() {
        OK(aclrtDestroyStream(stream));
        for (Buffer* buffer : {&a, &b, &out}) {
            buffer->release();
        }
    }
};

TEST(captured_streams_cannot_be_waited_for, [] {
    Captured c;
    c.begin();
    EQUAL(aclrtSynchronizeStream(c.stream), 107027);
    aclmdlRICaptureStatus status;
    OK(aclmdlRICaptureGetInfo(c.stream, &status, nullptr));
    EQUAL(status, ACL_MODEL_RI_CAPTURE_STATUS_INVALIDATED);
    CHECK(c.end() != 0);
    c.begin();
    aclrtStreamStatus query;
    EQUAL(aclrtStreamQuery(c.stream, &query), 107027);
    CHECK(c.end() != 0);
    c.begin();
    EQUAL(aclrtSynchronizeDevice(), 107027);
    CHECK(c.end() != 0);
    c.begin();
    OK(c.end());
    c.release();
});

TEST(copies_while_capturing, [] {
    Captured c;
    float value[16] = {};
    c.begin();
    EQUAL(aclrtMemcpyAsync(c.a.data, 64, value, 64, ACL_MEMCPY_HOST_TO_DEVICE, c.stream), 107041);  // pageable
    CHECK(c.end() != 0);
    void* other = device_bytes(64);
    c.begin();
    EQUAL(aclrtMemset(other, 64, 0, 64), 107041);
    CHECK(c.end() != 0);
    c.begin(ACL_MODEL_RI_CAPTURE_MODE_THREAD_LOCAL);
    std::thread([&] {
        OK(aclrtSetDevice(0));
        OK(aclrtMemset(other, 64, 0, 64));  // another thread may
        OK(aclrtResetDevice(0));
    }).join();
    EQUAL(aclrtMemcpy(other, 64, value, 64, ACL_MEMCPY_HOST_TO_DEVICE), 107041);
    CHECK(c.end() != 0);
    c.begin(ACL_MODEL_RI_CAPTURE_MODE_RELAXED);
    OK(aclrtMemcpy(other, 64, value, 64, ACL_MEMCPY_HOST_TO_DEVICE));
    OK(c.end());
    OK(aclrtFree(other));
    c.release();
});

TEST(begin_and_end_must_match, [] {
    Captured c;
    aclmdlRI graph = nullptr;
    EQUAL(aclmdlRICaptureBegin(nullptr, ACL_MODEL_RI_CAPTURE_MODE_GLOBAL), 107031);
    EQUAL(aclmdlRICaptureEnd(c.stream, &graph), 107029);
    c.begin();
    EQUAL(aclmdlRICaptureBegin(c.stream, ACL_MODEL_RI_CAPTURE_MODE_GLOBAL), 107027);
    std::thread([&] {
        OK(aclrtSetDevice(0));
        EQUAL(aclmdlRICaptureEnd(c.stream, &graph), 107038);
        OK(aclrtResetDevice(0));
    }).join();
    OK(c.end());
    c.release();
});

TEST(forked_stream_not_joined, [] {
    Captured c;
    Buffer other({16});
    aclrtStream side = make_stream();
    aclrtEvent fork = make_event();
    c.begin();
    OK(aclrtRecordEvent(fork, c.stream));
    OK(aclrtStreamWaitEvent(side, fork));
    OK(add(c.a, c.b, other, side));
    EQUAL(c.end(), 107025);
    OK(aclrtDestroyEvent(fork));
    OK(aclrtDestroyStream(side));
    other.release();
    c.release();
});

TEST(race_inside_a_capture, [] {
    Captured c;
    aclrtStream side = make_stream();
    aclrtEvent fork = make_event(), join = make_event();
    OK(aclmdlRICaptureBegin(c.stream, ACL_MODEL_RI_CAPTURE_MODE_GLOBAL));
    OK(aclrtRecordEvent(fork, c.stream));
    OK(aclrtStreamWaitEvent(side, fork));
    OK(add(c.a, c.b, c.out, c.stream));
    OK(add(c.a, c.b, c.out, side));
    FAULTS("race");
    OK(aclrtRecordEvent(join, side));
    OK(aclrtStreamWaitEvent(c.stream, join));
    OK(c.end());
    for (aclrtEvent e : {fork, join}) {
        OK(aclrtDestroyEvent(e));
    }
    OK(aclrtDestroyStream(side));
    c.release();
});

TEST(events_across_the_border_of_a_capture, [] {
    Captured c;
    aclrtEvent before = make_event(), inside = make_event();
    OK(aclrtRecordEvent(before, c.stream));
    c.begin();
    EQUAL(aclrtStreamWaitEvent(c.stream, before), 107024);
    CHECK(c.end() != 0);
    c.begin();
    OK(aclrtRecordEvent(inside, c.stream));
    EQUAL(aclrtSynchronizeEvent(inside), 107028);
    CHECK(c.end() != 0);
    EQUAL(aclrtStreamWaitEvent(c.stream, inside), 107028);
    OK(aclrtSynchronizeStream(c.stream));
    OK(aclrtDestroyEvent(before));
    OK(aclrtDestroyEvent(inside));
    c.release();
});

TEST(graph_outlives_its_memory, [] {
    Captured c;
    void* scratch = device_bytes(64);
    aclmdlRI graph = nullptr;
    OK(aclmdlRICaptureBegin(c.stream, ACL_MODEL_RI_CAPTURE_MODE_GLOBAL));
    OK(aclrtMemsetAsync(scratch, 64, 0, 64, c.stream));
    OK(aclmdlRICaptureEnd(c.stream, &graph));
    OK(aclmdlRIExecuteAsync(graph, c.stream));
    OK(aclrtSynchronizeStream(c.stream));
    OK(aclrtFree(scratch));
    CHECK(aclmdlRIExecuteAsync(graph, c.stream) != 0);
    FAULTS("graph-memory");
    OK(aclmdlRIDestroy(graph));
    EQUAL(aclmdlRIDestroy(graph), 107017);
    FAULTS("use-after-destroy");
    c.release();
});

TEST(graph_destroyed_while_it_runs, {{"delay", "50000"}}, [] {
    Captured c;
    aclmdlRI graph = nullptr;
    c.begin();
    OK(aclmdlRICaptureEnd(c.stream, &graph));
    OK(aclmdlRIExecuteAsync(graph, c.stream));
    OK(aclmdlRIDestroy(graph));
    FAULTS("destroy-with-pending-work");
    OK(aclrtSynchronizeStream(c.stream));
    c.release();
});

TEST(replay_races_with_another_stream, [] {
    Captured c;
    aclmdlRI graph = nullptr;
    aclrtStream side = make_stream();
    c.begin();
    OK(aclmdlRICaptureEnd(c.stream, &graph));
    OK(aclmdlRIExecuteAsync(graph, c.stream));
    OK(aclrtMemsetAsync(c.out.data, 64, 0, 64, side));
    FAULTS("race");
    for (aclrtStream s : {c.stream, side}) {
        OK(aclrtSynchronizeStream(s));
    }
    OK(aclrtDestroyStream(side));
    OK(aclmdlRIDestroy(graph));
    c.release();
});

TEST(world_ends_while_capturing, [] {
    Captured c;
    c.begin();
    OK(aclFinalize());
    std::string faults = take_faults();
    CHECK(faults.find("capture-unfinished") != std::string::npos);
});

}  // namespace
