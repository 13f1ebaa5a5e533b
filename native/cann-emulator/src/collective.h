// Communicators. A rank is a thread, or any number of them, working on one device of this process.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hccl/hccl_types.h"
#include "stream.h"

namespace emu {

struct Group;  // the ranks that share one root info

struct Communicator {
    void* handle = nullptr;
    std::shared_ptr<Group> group;
    uint32_t rank = 0, ranks = 0;
    int device = 0;
    std::string name;
    uint64_t next = 0;  // number of its next collective
    int error = 0;      // HcclGetCommAsyncError
    Epoch last;         // the stream step of its last collective
};

/** What one rank asks for; every field but the buffers and, where counts may differ, the counts must agree. */
struct Collective {
    enum class Kind { all_reduce, all_gather, reduce_scatter, broadcast, all_to_all, reduce, scatter, barrier, send, receive };
    Kind kind;
    const void* send = nullptr;
    void* receive = nullptr;
    uint64_t count = 0;  // elements; per rank for all_gather, reduce_scatter, scatter
    HcclDataType dtype = HCCL_DATA_TYPE_RESERVED;
    HcclReduceOp reduction = HCCL_REDUCE_SUM;
    uint32_t root = 0;  // or the peer of send and receive
    std::vector<uint64_t> send_counts, send_offsets, receive_counts, receive_offsets;  // all_to_all, elements
};

int new_root_info(HcclRootInfo* info);
int join_group(uint32_t ranks, const HcclRootInfo* info, uint32_t rank, const char* name, HcclComm* comm);
int join_all(uint32_t ranks, const int32_t* devices, HcclComm* comms);
int join_subgroup(HcclComm parent, uint32_t ranks, const uint32_t* rank_ids, uint64_t id, uint32_t rank, HcclComm* comm);
int leave_group(HcclComm comm);
/** nullptr and an HcclResult when it is no live communicator. Lock held. */
std::shared_ptr<Communicator> find_communicator(HcclComm comm, const char* function, int& code);
/** The communicator of this device with that name (group strings of fused operators), or nullptr. Lock held. */
std::shared_ptr<Communicator> find_communicator(const std::string& name, int device);
int start(const char* function, HcclComm comm, aclrtStream stream, Collective collective);
/** Wakes every rank that waits; called by aclFinalize. */
void end_communicators();

int hccl_width(HcclDataType dtype);  // bytes, 0: unknown
aclDataType to_acl(HcclDataType dtype);

}  // namespace emu
