// Collectives: ranks are threads with a device each.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <mutex>
#include <thread>

#include "aclnnop/aclnn_moe_distribute_buffer_reset.h"
#include "harness.h"
#include "hccl/hccl.h"
#include "hccl/hccl_comm.h"

using namespace test;

namespace {

struct Rank {
    uint32_t rank;
    HcclComm comm;
    aclrtStream stream;

    std::vector<float> run(size_t send, size_t receive, float base, const std::function<int(void*, void*)>& call) {
        void *in = device_bytes(send * 4), *out = device_bytes(receive * 4);
        std::vector<float> values(send);
        for (size_t i = 0; i < send; i++) {
            values[i] = base + static_cast<float>(i) + 100 * static_cast<float>(rank);
        }
        upload(in, values);
        EQUAL(call(in, out), 0);
        OK(aclrtSynchronizeStream(stream));
        std::vector<float> got = download(out, receive);
        OK(aclrtFree(in));
        OK(aclrtFree(out));
        return got;
    }
};

/** Runs the body on a thread a rank, each with a communicator and a stream. */
void on_ranks(uint32_t ranks, const std::function<void(Rank)>& body) {
    HcclRootInfo root;
    EQUAL(HcclGetRootInfo(&root), HCCL_SUCCESS);
    std::vector<std::thread> threads;
    for (uint32_t rank = 0; rank < ranks; rank++) {
        threads.emplace_back([&, rank] {
            OK(aclrtSetDevice(static_cast<int32_t>(rank)));
            Rank me{rank, nullptr, make_stream()};
            EQUAL(HcclCommInitRootInfo(ranks, &root, rank, &me.comm), HCCL_SUCCESS);
            body(me);
            EQUAL(HcclCommDestroy(me.comm), HCCL_SUCCESS);
            OK(aclrtDestroyStream(me.stream));
        });
    }
    for (std::thread& t : threads) {
        t.join();
    }
}

TEST(collectives_compute, {{"devices", "3"}}, [] {
    on_ranks(3, [](Rank r) {
        char name[HCCL_COMM_NAME_MAX_LENGTH];
        uint32_t rank, size;
        EQUAL(HcclGetCommName(r.comm, name), 0);
        EQUAL(HcclGetRankId(r.comm, &rank), 0);
        EQUAL(HcclGetRankSize(r.comm, &size), 0);
        CHECK(rank == r.rank && size == 3 && std::strlen(name) > 0);
        auto sum = r.run(4, 4, 1, [&](void* in, void* out) {
            return HcclAllReduce(in, out, 4, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_SUM, r.comm, r.stream);
        });
        CHECK(sum[0] == 303 && sum[3] == 312);
        auto all = r.run(2, 6, 1, [&](void* in, void* out) {
            return HcclAllGather(in, out, 2, HCCL_DATA_TYPE_FP32, r.comm, r.stream);
        });
        CHECK(all[0] == 1 && all[3] == 102 && all[5] == 202);
        auto mine = r.run(6, 2, 0, [&](void* in, void* out) {
            return HcclReduceScatter(in, out, 2, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_MAX, r.comm, r.stream);
        });
        CHECK(mine[0] == 200 + 2 * static_cast<float>(r.rank));
        auto exchanged = r.run(3, 3, 0, [&](void* in, void* out) {
            return HcclAlltoAll(in, 1, HCCL_DATA_TYPE_FP32, out, 1, HCCL_DATA_TYPE_FP32, r.comm, r.stream);
        });
        CHECK(exchanged[1] == 100 + static_cast<float>(r.rank));
    });
});

TEST(uneven_all_to_all_and_pairs, [] {
    on_ranks(2, [](Rank r) {
        // rank 0 sends one element to itself and three to rank 1, rank 1 two to each
        uint64_t send[2] = {r.rank == 0 ? 1u : 2u, r.rank == 0 ? 3u : 2u}, from[2] = {0, send[0]};
        uint64_t receive[2] = {r.rank == 0 ? 1u : 3u, 2}, to[2] = {0, receive[0]};
        auto got = r.run(4, 5, 0, [&](void* in, void* out) {
            OK(aclrtMemset(out, 20, 0, 20));
            return HcclAlltoAllV(in, send, from, HCCL_DATA_TYPE_FP32, out, receive, to, HCCL_DATA_TYPE_FP32, r.comm,
                                 r.stream);
        });
        CHECK(r.rank == 0 ? got[0] == 0 && got[1] == 100 && got[2] == 101 : got[0] == 1 && got[2] == 3 &&
              got[4] == 103);
        auto passed = r.run(2, 2, 7, [&](void* in, void* out) {
            OK(aclrtMemset(out, 8, 0, 8));
            return r.rank == 0 ? HcclSend(in, 2, HCCL_DATA_TYPE_FP32, 1, r.comm, r.stream)
                               : HcclRecv(out, 2, HCCL_DATA_TYPE_FP32, 0, r.comm, r.stream);
        });
        CHECK(r.rank == 0 || passed[1] == 8);
        EQUAL(HcclBarrier(r.comm, r.stream), 0);
        OK(aclrtSynchronizeStream(r.stream));
    });
});

TEST(collectives_in_graphs, [] {
    on_ranks(2, [](Rank r) {
        void* data = device_bytes(16);
        aclmdlRI graph = nullptr;
        OK(aclmdlRICaptureBegin(r.stream, ACL_MODEL_RI_CAPTURE_MODE_RELAXED));
        EQUAL(HcclAllReduce(data, data, 4, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_SUM, r.comm, r.stream), 0);
        OK(aclmdlRICaptureEnd(r.stream, &graph));
        upload(data, std::vector<float>(4, 1));
        for (int i = 0; i < 3; i++) {
            OK(aclmdlRIExecuteAsync(graph, r.stream));
        }
        OK(aclrtSynchronizeStream(r.stream));
        CHECK(download(data, 4)[0] == 8);
        OK(aclmdlRIDestroy(graph));
        OK(aclrtFree(data));
    });
});

/** The fused operator of these tests: adds up rank numbers plus one into `sum`. */
int meeting(const Rank& r, const Buffer& sum, int64_t rounds) {
    char name[HCCL_COMM_NAME_MAX_LENGTH];
    EQUAL(HcclGetCommName(r.comm, name), 0);
    uint64_t workspace = 0;
    aclOpExecutor* executor = nullptr;
    OK(aclnnMoeDistributeBufferResetGetWorkspaceSize(sum.tensor, name, 2, rounds, &workspace, &executor));
    return aclnnMoeDistributeBufferReset(nullptr, 0, executor, r.stream);
}

TEST(fused_operators_meet, [] {
    on_ranks(2, [](Rank r) {
        Buffer sum({4});
        OK(meeting(r, sum, 1));
        OK(aclrtSynchronizeStream(r.stream));
        CHECK(download(sum.data, 4)[3] == 3);
        EQUAL(HcclBarrier(r.comm, r.stream), 0);  // a fused operator's communicator is for nothing else
        OK(aclrtSynchronizeStream(r.stream));
        sum.release();
    });
    FAULTS("communicator-shared");
});

TEST(fused_operators_disagree, [] {
    on_ranks(2, [](Rank r) {
        Buffer sum({4});
        OK(meeting(r, sum, r.rank));
        CHECK(aclrtSynchronizeStream(r.stream) != 0);
        sum.release();
    });
    FAULTS("collective-mismatch");
});

TEST(unordered_collectives, [] {
    on_ranks(2, [](Rank r) {
        aclrtStream side = make_stream();
        EQUAL(HcclBarrier(r.comm, r.stream), 0);
        EQUAL(HcclBarrier(r.comm, side), 0);
        OK(aclrtSynchronizeStream(r.stream));
        OK(aclrtSynchronizeStream(side));
        OK(aclrtDestroyStream(side));
    });
    FAULTS("race");
});

TEST(two_ranks_on_one_device, [] {
    int32_t devices[] = {0, 0};
    HcclComm comms[2];
    EQUAL(HcclCommInitAll(2, devices, comms), HCCL_E_PARA);
    FAULTS("communicator-device");
});

TEST(collective_mismatch, [] {
    on_ranks(2, [](Rank r) {
        void* data = device_bytes(64);
        EQUAL(r.rank == 0 ? HcclAllReduce(data, data, 4, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_SUM, r.comm, r.stream)
                          : HcclBroadcast(data, 4, HCCL_DATA_TYPE_FP32, 0, r.comm, r.stream), 0);
        CHECK(aclrtSynchronizeStream(r.stream) != 0);
        OK(aclrtFree(data));
    });
    std::string faults = take_faults();
    CHECK(faults.find("AllReduce") != std::string::npos && faults.find("Broadcast") != std::string::npos);
});

TEST(collective_counts_differ, [] {
    on_ranks(2, [](Rank r) {
        void* data = device_bytes(64);
        EQUAL(HcclAllReduce(data, data, 4 + r.rank, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_SUM, r.comm, r.stream), 0);
        CHECK(aclrtSynchronizeStream(r.stream) != 0);
        OK(aclrtFree(data));
    });
    FAULTS("collective-mismatch");
});

TEST(missing_rank, {{"hccl_timeout", "0.2"}}, [] {
    on_ranks(2, [](Rank r) {
        void* data = device_bytes(64);
        if (r.rank == 0) {
            EQUAL(HcclAllReduce(data, data, 4, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_SUM, r.comm, r.stream), 0);
            CHECK(aclrtSynchronizeStream(r.stream) != 0);
            HcclResult error = HCCL_SUCCESS;
            EQUAL(HcclGetCommAsyncError(r.comm, &error), 0);
            EQUAL(error, HCCL_E_TIMEOUT);
        }
        OK(aclrtFree(data));
    });
    FAULTS("collective-timeout");
    HcclRootInfo root;
    HcclComm comm;
    EQUAL(HcclGetRootInfo(&root), 0);
    EQUAL(HcclCommInitRootInfo(2, &root, 0, &comm), HCCL_E_TIMEOUT);
});

TEST(collective_arguments, [] {
    on_ranks(2, [](Rank r) {
        void* data = device_bytes(64);
        float host[16];
        EQUAL(HcclAllReduce(host, data, 4, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_SUM, r.comm, r.stream), HCCL_E_PARA);
        EQUAL(HcclAllReduce(data, data, 64, HCCL_DATA_TYPE_FP8E4M3, HCCL_REDUCE_SUM, r.comm, r.stream),
              HCCL_E_NOT_SUPPORT);
        EQUAL(HcclBroadcast(data, 4, HCCL_DATA_TYPE_FP32, 5, r.comm, r.stream), HCCL_E_PARA);
        EQUAL(HcclAllReduce(nullptr, data, 4, HCCL_DATA_TYPE_FP32, HCCL_REDUCE_SUM, r.comm, r.stream), HCCL_E_PTR);
        OK(aclrtFree(data));
    });
    FAULTS("address-memory");
});

TEST(one_thread_for_all_ranks, [] {
    int32_t devices[] = {0, 1};
    HcclComm comms[2];
    EQUAL(HcclCommInitAll(2, devices, comms), 0);
    aclrtStream streams[2];
    void* data[2];
    for (int i = 0; i < 2; i++) {
        OK(aclrtSetDevice(i));
        streams[i] = make_stream();
        data[i] = device_bytes(64);
        OK(aclrtMemset(data[i], 64, 0, 64));
        EQUAL(HcclAllReduce(data[i], data[i], 16, HCCL_DATA_TYPE_INT32, HCCL_REDUCE_SUM, comms[i], streams[i]), 0);
    }
    EQUAL(HcclAllReduce(data[1], data[1], 16, HCCL_DATA_TYPE_INT32, HCCL_REDUCE_SUM, comms[0], streams[1]),
          HCCL_E_PARA);
    FAULTS("communicator-device");
    for (int i = 0; i < 2; i++) {
        OK(aclrtSetDevice(i));
        OK(aclrtSynchronizeStream(streams[i]));
        EQUAL(HcclCommDestroy(comms[i]), 0);
        OK(aclrtDestroyStream(streams[i]));
        OK(aclrtFree(data[i]));
    }
    EQUAL(HcclCommDestroy(comms[0]), HCCL_E_PARA);
    FAULTS("use-after-destroy");
});

TEST(a_rank_table_names_the_ranks, {{"devices", "2"}}, [] {
    std::string path = "weft_emulator_rank_table.json";
    std::ofstream(path) << R"({"status": "completed", "rank_list": [{"rank_id": 0}, {"rank_id": 1}]})";
    std::vector<std::thread> threads;
    for (uint32_t rank = 0; rank < 2; rank++) {
        threads.emplace_back([&, rank] {
            OK(aclrtSetDevice(static_cast<int32_t>(rank)));
            Rank me{rank, nullptr, make_stream()};
            EQUAL(HcclCommInitClusterInfo(path.c_str(), rank, &me.comm), HCCL_SUCCESS);
            EQUAL(HcclBarrier(me.comm, me.stream), HCCL_SUCCESS);
            OK(aclrtSynchronizeStream(me.stream));
            EQUAL(HcclCommDestroy(me.comm), HCCL_SUCCESS);
            OK(aclrtDestroyStream(me.stream));
        });
    }
    for (std::thread& t : threads) {
        t.join();
    }
    std::remove(path.c_str());
    HcclComm none = nullptr;
    EQUAL(HcclCommInitClusterInfo(path.c_str(), 0, &none), HCCL_E_PARA);
});

TEST(buffers_of_different_sizes, {{"devices", "2"}, {"hccl_timeout", "0.2"}}, [] {
    HcclRootInfo root;
    OK(aclrtSetDevice(0));
    EQUAL(HcclGetRootInfo(&root), 0);
    int refused = 0;
    std::thread ranks[2];
    std::mutex mutex;
    for (uint32_t rank = 0; rank < 2; rank++) {
        ranks[rank] = std::thread([&, rank] {
            OK(aclrtSetDevice(static_cast<int32_t>(rank)));
            HcclCommConfig config{};
            config.size = sizeof config;
            config.magic = HCCL_COMM_CONFIG_MAGIC;
            config.hcclBufferSize = 200 + rank;
            HcclComm comm = nullptr;
            HcclResult code = HcclCommInitRootInfoConfig(2, &root, rank, &config, &comm);
            std::lock_guard lock(mutex);
            refused += code == HCCL_E_PARA;
        });
    }
    ranks[0].join();
    ranks[1].join();
    EQUAL(refused, 1);  // the other one waits in vain
    FAULTS("collective-mismatch");
});

TEST(parts_are_split_off_the_whole_in_order, {{"devices", "2"}}, [] {
    on_ranks(2, [](Rank r) {
        uint32_t all[] = {0, 1}, turned[] = {1, 0}, alone[] = {0};
        HcclComm part = nullptr, none = nullptr;
        EQUAL(HcclCreateSubCommConfig(&r.comm, 2, turned, 1, 1 - r.rank, nullptr, &none), HCCL_E_PARA);
        EQUAL(HcclCreateSubCommConfig(&r.comm, 2, all, 2, r.rank, nullptr, &part), HCCL_SUCCESS);
        EQUAL(HcclCreateSubCommConfig(&part, 1, alone, 3, 0, nullptr, &none), HCCL_E_NOT_SUPPORT);
        EQUAL(HcclCommDestroy(part), HCCL_SUCCESS);
    });
});

}  // namespace
