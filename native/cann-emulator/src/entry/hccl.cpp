// Collectives.
#include "hccl/hccl.h"

#include "collective.h"

namespace {

using emu::Collective;
using Kind = Collective::Kind;

HcclResult run(const char* function, HcclComm comm, aclrtStream stream, Collective c) {
    if (emu::enter(function)) {
        return HCCL_E_RUNTIME;
    }
    return static_cast<HcclResult>(emu::start(function, comm, stream, std::move(c)));
}

Collective make(Kind kind, const void* send, void* receive, uint64_t count, HcclDataType dtype) {
    Collective c;
    c.kind = kind;
    c.send = send;
    c.receive = receive;
    c.count = count;
    c.dtype = dtype;
    return c;
}

/** The size of the communicator, 0 when it is none: the call itself will say so. */
uint32_t ranks_of(HcclComm comm) {
    emu::Lock lock(emu::world().mutex);
    auto found = emu::world().communicators.find(comm);
    return found == nullptr ? 0 : found->group->ranks;
}

std::vector<uint64_t> copy_counts(const void* counts, uint32_t ranks) {
    const uint64_t* begin = static_cast<const uint64_t*>(counts);
    return begin == nullptr ? std::vector<uint64_t>(ranks) : std::vector<uint64_t>(begin, begin + ranks);
}

}  // namespace

extern "C" {

HcclResult HcclAllReduce(void* sendBuf, void* recvBuf, uint64_t count, HcclDataType dataType, HcclReduceOp op, HcclComm comm,
                         aclrtStream stream) {
    Collective c = make(Kind::all_reduce, sendBuf, recvBuf, count, dataType);
    c.reduction = op;
    return run("HcclAllReduce", comm, stream, c);
}

HcclResult HcclAllGather(void* sendBuf, void* recvBuf, uint64_t sendCount, HcclDataType dataType, HcclComm comm,
                         aclrtStream stream) {
    return run("HcclAllGather", comm, stream, make(Kind::all_gather, sendBuf, recvBuf, sendCount, dataType));
}

HcclResult HcclReduceScatter(void* sendBuf, void* recvBuf, uint64_t recvCount, HcclDataType dataType, HcclReduceOp op,
                             HcclComm comm, aclrtStream stream) {
    Collective c = make(Kind::reduce_scatter, sendBuf, recvBuf, recvCount, dataType);
    c.reduction = op;
    return run("HcclReduceScatter", comm, stream, c);
}

HcclResult HcclBroadcast(void* buf, uint64_t count, HcclDataType dataType, uint32_t root, HcclComm comm, aclrtStream stream) {
    Collective c = make(Kind::broadcast, buf, buf, count, dataType);
    c.root = root;
    return run("HcclBroadcast", comm, stream, c);
}

HcclResult HcclReduce(void* sendBuf, void* recvBuf, uint64_t count, HcclDataType dataType, HcclReduceOp op, uint32_t root,
                      HcclComm comm, aclrtStream stream) {
    Collective c = make(Kind::reduce, sendBuf, recvBuf, count, dataType);
    c.reduction = op;
    c.root = root;
    return run("HcclReduce", comm, stream, c);
}

HcclResult HcclScatter(void* sendBuf, void* recvBuf, uint64_t recvCount, HcclDataType dataType, uint32_t root, HcclComm comm,
                       aclrtStream stream) {
    Collective c = make(Kind::scatter, sendBuf, recvBuf, recvCount, dataType);
    c.root = root;
    return run("HcclScatter", comm, stream, c);
}

HcclResult HcclAlltoAll(const void* sendBuf, uint64_t sendCount, HcclDataType sendType, const void* recvBuf,
                        uint64_t recvCount, HcclDataType recvType, HcclComm comm, aclrtStream stream) {
    if (sendCount != recvCount || sendType != recvType) {
        return static_cast<HcclResult>(emu::fail(HCCL_E_PARA, "HcclAlltoAll: counts or types of the two sides differ"));
    }
    uint32_t ranks = ranks_of(comm);
    Collective c = make(Kind::all_to_all, sendBuf, const_cast<void*>(recvBuf), sendCount, sendType);
    for (uint32_t i = 0; i < ranks; i++) {
        c.send_counts.push_back(sendCount);
        c.send_offsets.push_back(i * sendCount);
    }
    c.receive_counts = c.send_counts;
    c.receive_offsets = c.send_offsets;
    return run("HcclAlltoAll", comm, stream, c);
}

HcclResult HcclAlltoAllV(const void* sendBuf, const void* sendCounts, const void* sdispls, HcclDataType sendType,
                         const void* recvBuf, const void* recvCounts, const void* rdispls, HcclDataType recvType,
                         HcclComm comm, aclrtStream stream) {
    if (sendType != recvType) {
        return static_cast<HcclResult>(emu::fail(HCCL_E_PARA, "HcclAlltoAllV: types of the two sides differ"));
    }
    if (!sendCounts || !sdispls || !recvCounts || !rdispls) {
        return static_cast<HcclResult>(emu::fail(HCCL_E_PTR, "HcclAlltoAllV: counts or displacements are NULL"));
    }
    uint32_t ranks = ranks_of(comm);
    Collective c = make(Kind::all_to_all, sendBuf, const_cast<void*>(recvBuf), 0, sendType);
    c.send_counts = copy_counts(sendCounts, ranks);
    c.send_offsets = copy_counts(sdispls, ranks);
    c.receive_counts = copy_counts(recvCounts, ranks);
    c.receive_offsets = copy_counts(rdispls, ranks);
    return run("HcclAlltoAllV", comm, stream, c);
}

HcclResult HcclSend(void* sendBuf, uint64_t count, HcclDataType dataType, uint32_t destRank, HcclComm comm,
                    aclrtStream stream) {
    Collective c = make(Kind::send, sendBuf, nullptr, count, dataType);
    c.root = destRank;
    return run("HcclSend", comm, stream, c);
}

HcclResult HcclRecv(void* recvBuf, uint64_t count, HcclDataType dataType, uint32_t srcRank, HcclComm comm,
                    aclrtStream stream) {
    Collective c = make(Kind::receive, nullptr, recvBuf, count, dataType);
    c.root = srcRank;
    return run("HcclRecv", comm, stream, c);
}

}  // extern "C"
