// Communicators and collectives. A rank is a thread, or any number of them, working on one device of this process;
// ranks meet on the worker threads of their streams.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hccl/hccl_types.h"
#include "stream.h"

namespace emu {

/** What one rank asks for; all but the buffers, and for all_to_all the counts, must agree among ranks. */
struct Collective {
    enum class Kind {
        all_reduce,
        all_gather,
        reduce_scatter,
        broadcast,
        all_to_all,
        reduce,
        scatter,
        barrier,
        send,
        receive,
        fused
    };
    Kind kind = Kind::barrier;
    const void* send = nullptr;
    void* receive = nullptr;
    uint64_t count = 0;  // elements; a rank's share for all_gather, reduce_scatter and scatter
    HcclDataType dtype = HCCL_DATA_TYPE_RESERVED;
    HcclReduceOp reduction = HCCL_REDUCE_SUM;
    uint32_t root = 0;  // the peer of send and receive
    std::vector<uint64_t> send_counts, send_offsets, receive_counts, receive_offsets;  // of all_to_all, in elements
    std::string what;              // of fused operators: must agree
    std::vector<uint8_t> payload;  // of fused operators
};

/** One collective while its ranks arrive. */
struct Meeting {
    std::vector<uint32_t> expected;  // ranks
    std::map<uint32_t, Collective> arrived;
    bool working = false, done = false, failed = false;
    size_t left = 0;
};

/** The ranks that share one root info. */
struct Group {
    uint64_t id = 0;
    uint32_t ranks = 0;
    std::string name;
    int64_t buffer = 0;               // bytes of its exchange buffer, as the first rank asked
    std::map<uint32_t, int> devices;  // of the ranks that have joined
    bool ended = false;
    std::map<std::string, std::shared_ptr<Meeting>> meetings;
};

struct Communicator {
    void* handle = nullptr;
    std::shared_ptr<Group> group;
    uint32_t rank = 0;
    int device = 0;
    uint64_t collectives = 0;               // executed so far; numbers the next meeting
    std::map<std::string, uint64_t> pairs;  // the same for send and receive with each peer
    int error = 0;                          // HcclGetCommAsyncError
    Epoch last;                             // its last collective
    bool plain = false, fused = false;      // what it has served
};

// ---- communicator.cpp
int new_root_info(HcclRootInfo* info);
int join_group(uint32_t ranks, const HcclRootInfo* info, uint32_t rank, const HcclCommConfig* config, HcclComm* comm);
/** Joins the group of all ranks that a rank table names. */
int join_table(const char* path, uint32_t rank, const HcclCommConfig* config, HcclComm* comm);
int join_all(uint32_t ranks, const int32_t* devices, HcclComm* comms);
int join_subgroup(HcclComm parent, uint32_t ranks, const uint32_t* rank_ids, uint64_t id, uint32_t rank,
                  const HcclCommConfig* config, HcclComm* comm);
int leave_group(HcclComm comm);
/** nullptr and an HcclResult when it is no live communicator. Lock held. */
std::shared_ptr<Communicator> find_communicator(const void* comm, const char* function, int& code);
/** Wakes every rank that waits; called by aclFinalize with the lock held. */
void end_communicators();

// ---- collective.cpp
int start(const char* function, HcclComm comm, aclrtStream stream, Collective collective);
/** Worker thread: waits for the other ranks; the last one lets the data move. */
std::shared_ptr<Meeting> meet(const std::shared_ptr<Communicator>& comm, Collective collective);
std::string describe(const Collective& c);

// ---- exchange.cpp
/** Moves the data of a complete meeting whose ranks agree. */
void move_data(const Meeting& meeting);
/** The first disagreement between two ranks, or "". */
std::string disagreement(const Meeting& meeting);
int hccl_width(HcclDataType dtype);  // bytes, 0: unknown
bool can_reduce(HcclDataType dtype);

}  // namespace emu
