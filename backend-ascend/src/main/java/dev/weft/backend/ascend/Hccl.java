package dev.weft.backend.ascend;

import java.lang.foreign.MemorySegment;

/**
 * The functions of HCCL that the backend calls, under their C names. Counts are elements; communicators and streams are
 * handles, {@code out} parameters addresses of the caller's memory.
 */
interface Hccl {
    int HcclGetRootInfo(MemorySegment outRootInfo);

    int HcclCommInitRootInfoConfig(
            int ranks, MemorySegment rootInfo, int rank, MemorySegment config, MemorySegment outComm);

    int HcclCommInitClusterInfoConfig(
            MemorySegment rankTablePath, int rank, MemorySegment config, MemorySegment outComm);

    int HcclCreateSubCommConfig(
            MemorySegment commAddress,
            int ranks,
            MemorySegment rankIds,
            long id,
            int rank,
            MemorySegment config,
            MemorySegment outComm);

    int HcclCommDestroy(MemorySegment comm);

    int HcclGetCommAsyncError(MemorySegment comm, MemorySegment outCode);

    // collectives

    int HcclAllGather(
            MemorySegment send,
            MemorySegment receive,
            long sendCount,
            int type,
            MemorySegment comm,
            MemorySegment stream);

    int HcclAlltoAllV(
            MemorySegment send,
            MemorySegment sendCounts,
            MemorySegment sendOffsets,
            int sendType,
            MemorySegment receive,
            MemorySegment receiveCounts,
            MemorySegment receiveOffsets,
            int receiveType,
            MemorySegment comm,
            MemorySegment stream);

    int HcclBroadcast(MemorySegment data, long count, int type, int root, MemorySegment comm, MemorySegment stream);

    int HcclSend(MemorySegment data, long count, int type, int to, MemorySegment comm, MemorySegment stream);

    int HcclRecv(MemorySegment data, long count, int type, int from, MemorySegment comm, MemorySegment stream);
}
