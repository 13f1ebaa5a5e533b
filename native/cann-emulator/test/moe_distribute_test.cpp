// Dispatch and combine between ranks: what arrives where, and that the round trip is the weighted sum.
#include "aclnnop/aclnn_moe_distribute_combine_v4.h"
#include "aclnnop/aclnn_moe_distribute_dispatch_v4.h"
#include "hccl/hccl.h"
#include "hccl/hccl_comm.h"
#include "operators.h"

#include <thread>

using namespace operators;

namespace {

constexpr int64_t kRanks = 2, kTokens = 3, kChosen = 2, kWidth = 1024, kExperts = 4, kRows = kTokens * kRanks * 2;
const std::vector<int32_t> kIds[] = {{0, 3, 1, 2, 3, 2}, {2, 0, 1, 0, 3, 1}};

std::vector<float> tokens_of(int64_t rank) {
    return random_values(kTokens * kWidth, static_cast<uint32_t>(70 + rank));
}

/** 64 tokens of 1024 need 2 * (2 * 64 * 2 * 2560 + 2 * 64 * 2048) bytes, more than 1 MB. */
void buffer_too_small(Session& s, char* name, int64_t rank) {
    constexpr int64_t kMany = 64, kManyRows = kMany * kRanks * 2;
    Ten x = b16({kMany, kWidth}, random_values(kMany * kWidth, 1));
    Ten ids = i32({kMany, kChosen}, std::vector<int32_t>(kMany * kChosen, 0));
    Ten expanded = empty(ACL_BF16, {kManyRows, kWidth}, 2), info = empty(ACL_INT32, {kManyRows * 128}, 4);
    Ten counts = empty(ACL_INT64, {2}, 8), received = empty(ACL_INT32, {kRanks * 2}, 4);
    EQUAL(CALL(s, aclnnMoeDistributeDispatchV4, x, ids, nullptr, nullptr, nullptr, nullptr, nullptr, name, kRanks, rank,
               kExperts, "", 1, 0, 0, 0, 0, 0, 0, 1, "", 0, 0, 0, expanded, nullptr, info, counts, received, nullptr,
               nullptr),
          561002);
}

void rank_body(int64_t rank, HcclRootInfo root) {
    CHECK(aclrtSetDevice(static_cast<int32_t>(rank)) == 0);
    HcclComm comm = nullptr;
    HcclCommConfig config{};
    config.size = sizeof config;
    config.magic = HCCL_COMM_CONFIG_MAGIC;
    config.hcclBufferSize = 1;
    CHECK(HcclCommInitRootInfoConfig(kRanks, &root, static_cast<uint32_t>(rank), &config, &comm) == HCCL_SUCCESS);
    char name[128];
    CHECK(HcclGetCommName(comm, name) == HCCL_SUCCESS);
    {
        Session s = Session::joined();
        const std::vector<float> scales = random_values(kTokens * kChosen, static_cast<uint32_t>(80 + rank));
        Ten x = b16({kTokens, kWidth}, tokens_of(rank)), ids = i32({kTokens, kChosen}, kIds[rank]);
        Ten expanded = empty(ACL_BF16, {kRows, kWidth}, 2), info = empty(ACL_INT32, {kRows * 128}, 4);
        Ten counts = empty(ACL_INT64, {2}, 8), received = empty(ACL_INT32, {kRanks * 2}, 4);
        Ten weights = f32({kTokens, kChosen}, scales), out = empty(ACL_BF16, {kTokens, kWidth}, 2);
        EQUAL(CALL(s, aclnnMoeDistributeDispatchV4, x, ids, nullptr, nullptr, nullptr, nullptr, nullptr, name, kRanks,
                   rank, kExperts, "", 1, 0, 0, 0, 0, 0, 0, 1, "", 0, 0, 0, expanded, nullptr, info, counts, received,
                   nullptr, nullptr),
              0);
        const std::vector<float> rows = expanded.floats();
        const std::vector<int64_t> found = counts.raw<int64_t>();
        size_t at = 0;
        for (int64_t expert = rank * 2; expert < rank * 2 + 2; expert++) {
            int64_t count = 0;
            for (int64_t source = 0; source < kRanks; source++) {
                const std::vector<float> sent = tokens_of(source);
                for (size_t pair = 0; pair < kIds[source].size(); pair++) {
                    if (kIds[source][pair] == expert) {
                        CHECK(std::equal(sent.begin() + static_cast<int64_t>(pair) / kChosen * kWidth,
                                         sent.begin() + (static_cast<int64_t>(pair) / kChosen + 1) * kWidth,
                                         rows.begin() + static_cast<int64_t>(at++) * kWidth));
                        count++;
                    }
                }
            }
            EQUAL(found[static_cast<size_t>(expert - rank * 2)], count);
        }
        EQUAL(CALL(s, aclnnMoeDistributeCombineV4, expanded, ids, info, received, weights, nullptr, nullptr, nullptr,
                   nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, name, kRanks,
                   rank, kExperts, "", 1, 0, 0, 0, 0, 0, 0, 0, 0, "", 0, 0, 0, out),
              0);
        std::vector<float> want = tokens_of(rank);
        for (size_t i = 0; i < want.size(); i++) {
            const size_t token = i / kWidth;
            want[i] *= scales[2 * token] + scales[2 * token + 1];
        }
        NEAR(out.floats(), want, 0.006);
        buffer_too_small(s, name, rank);
    }
    CHECK(HcclCommDestroy(comm) == HCCL_SUCCESS);
}

void round_trip(const char* soc) {
    weftEmulatorConfigure("soc", soc);
    weftEmulatorConfigure("devices", "2");
    CHECK(aclInit(nullptr) == 0);
    HcclRootInfo root;
    CHECK(aclrtSetDevice(0) == 0);
    CHECK(HcclGetRootInfo(&root) == HCCL_SUCCESS);
    std::thread one(rank_body, 0, root), two(rank_body, 1, root);
    one.join();
    two.join();
    aclFinalize();
    const std::string faults = weftEmulatorFaults();
    check(faults.empty(), "faults: " + faults, __FILE__, __LINE__);
}

void not_on_950pr() {
    Session s("Ascend950PR_9589");
    Ten x = b16({kTokens, kWidth}, tokens_of(0)), ids = i32({kTokens, kChosen}, kIds[0]);
    Ten expanded = empty(ACL_BF16, {kRows, kWidth}, 2), info = empty(ACL_INT32, {kRows * 128}, 4);
    Ten counts = empty(ACL_INT64, {2}, 8), received = empty(ACL_INT32, {4}, 4);
    EQUAL(CALL(s, aclnnMoeDistributeDispatchV4, x, ids, nullptr, nullptr, nullptr, nullptr, nullptr, "group", kRanks, 0,
               kExperts, "", 1, 0, 0, 0, 0, 0, 0, 1, "", 0, 0, 0, expanded, nullptr, info, counts, received, nullptr,
               nullptr),
          361001);
}

}  // namespace

int main() {
    round_trip("Ascend950DT_9591");
    round_trip("Ascend910_9382");
    not_on_950pr();
    std::printf("%d failures\n", failures);
    return failures == 0 ? 0 : 1;
}
