// Communicators.
#include <cstdio>

#include "collective.h"
#include "hccl/hccl_comm.h"

#define HCCL_ENTER(function)                                         \
    if (emu::enter(function)) {                                      \
        return HCCL_E_RUNTIME;                                       \
    }

namespace {

template <typename Read>
HcclResult with_communicator(HcclComm comm, const char* function, Read read) {
    emu::Lock lock(emu::world().mutex);
    int code;
    auto found = emu::find_communicator(comm, function, code);
    if (found != nullptr) {
        read(*found);
    }
    return static_cast<HcclResult>(code);
}

}  // namespace

extern "C" {

HcclResult HcclGetRootInfo(HcclRootInfo* rootInfo) {
    HCCL_ENTER("HcclGetRootInfo");
    return static_cast<HcclResult>(emu::new_root_info(rootInfo));
}

HcclResult HcclCommInitRootInfo(uint32_t nRanks, const HcclRootInfo* rootInfo, uint32_t rank, HcclComm* comm) {
    HCCL_ENTER("HcclCommInitRootInfo");
    return static_cast<HcclResult>(emu::join_group(nRanks, rootInfo, rank, nullptr, comm));
}

HcclResult HcclCommInitRootInfoConfig(uint32_t nRanks, const HcclRootInfo* rootInfo, uint32_t rank,
                                      const HcclCommConfig* config, HcclComm* comm) {
    HCCL_ENTER("HcclCommInitRootInfoConfig");
    return static_cast<HcclResult>(emu::join_group(nRanks, rootInfo, rank, config, comm));
}

HcclResult HcclCommInitClusterInfo(const char* clusterInfo, uint32_t rank, HcclComm* comm) {
    HCCL_ENTER("HcclCommInitClusterInfo");
    return static_cast<HcclResult>(emu::join_table(clusterInfo, rank, nullptr, comm));
}

HcclResult HcclCommInitClusterInfoConfig(const char* clusterInfo, uint32_t rank, HcclCommConfig* config,
                                         HcclComm* comm) {
    HCCL_ENTER("HcclCommInitClusterInfoConfig");
    return static_cast<HcclResult>(emu::join_table(clusterInfo, rank, config, comm));
}

HcclResult HcclCommInitAll(uint32_t ndev, int32_t* devices, HcclComm* comms) {
    HCCL_ENTER("HcclCommInitAll");
    return static_cast<HcclResult>(emu::join_all(ndev, devices, comms));
}

HcclResult HcclCreateSubCommConfig(HcclComm* comm, uint32_t rankNum, uint32_t* rankIds, uint64_t subCommId,
                                   uint32_t subCommRankId, HcclCommConfig* config, HcclComm* subComm) {
    HCCL_ENTER("HcclCreateSubCommConfig");
    if (comm == nullptr || subComm == nullptr) {
        return HCCL_E_PTR;
    }
    return static_cast<HcclResult>(emu::join_subgroup(*comm, rankNum, rankIds, subCommId, subCommRankId, config,
                                                      subComm));
}

HcclResult HcclCommDestroy(HcclComm comm) {
    HCCL_ENTER("HcclCommDestroy");
    return static_cast<HcclResult>(emu::leave_group(comm));
}

HcclResult HcclGetRankId(HcclComm comm, uint32_t* rank) {
    HCCL_ENTER("HcclGetRankId");
    return with_communicator(comm, "HcclGetRankId", [&](auto& c) { *rank = c.rank; });
}

HcclResult HcclGetRankSize(HcclComm comm, uint32_t* rankSize) {
    HCCL_ENTER("HcclGetRankSize");
    return with_communicator(comm, "HcclGetRankSize", [&](auto& c) { *rankSize = c.group->ranks; });
}

HcclResult HcclGetCommName(HcclComm comm, char* commName) {
    HCCL_ENTER("HcclGetCommName");
    return with_communicator(comm, "HcclGetCommName", [&](auto& c) {
        std::snprintf(commName, HCCL_COMM_NAME_MAX_LENGTH, "%s", c.group->name.c_str());
    });
}

HcclResult HcclGetCommAsyncError(HcclComm comm, HcclResult* asyncError) {
    HCCL_ENTER("HcclGetCommAsyncError");
    return with_communicator(comm, "HcclGetCommAsyncError",
                             [&](auto& c) { *asyncError = static_cast<HcclResult>(c.error); });
}

HcclResult HcclBarrier(HcclComm comm, aclrtStream stream) {
    HCCL_ENTER("HcclBarrier");
    return static_cast<HcclResult>(emu::start("HcclBarrier", comm, stream, emu::Collective{}));
}

uint32_t HcclGetCommConfigCapability(void) {
    return 5;  // buffer size, determinism, name, udi, expansion mode: the fields of the 8.1 layout
}

const char* HcclGetErrorString(HcclResult code) {
    static thread_local char text[32];
    std::snprintf(text, sizeof text, "HCCL result %d", code);
    return text;
}

}  // extern "C"
