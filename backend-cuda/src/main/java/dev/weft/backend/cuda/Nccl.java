package dev.weft.backend.cuda;

import java.lang.foreign.MemorySegment;

/**
 * The functions of NCCL that a group calls, as {@code nccl.h} declares them; {@code ncclCommInitRankConfig}, which takes a
 * structure by value, is in {@link NcclLibrary}. Handles and device addresses are {@code long}; counts are elements; all but
 * the texts answer with an {@code ncclResult_t}.
 */
interface Nccl {
    int ncclGetVersion(MemorySegment outVersion);

    MemorySegment ncclGetErrorString(int code);

    int ncclGetUniqueId(MemorySegment outId);

    int ncclCommGetAsyncError(long comm, MemorySegment outCode);

    int ncclCommFinalize(long comm);

    int ncclCommDestroy(long comm);

    int ncclCommAbort(long comm);

    int ncclGroupStart();

    int ncclGroupEnd();

    int ncclSend(long data, long count, int type, int peer, long comm, long stream);

    int ncclRecv(long data, long count, int type, int peer, long comm, long stream);

    int ncclAllGather(long send, long receive, long count, int type, long comm, long stream);

    int ncclBroadcast(long send, long receive, long count, int type, int root, long comm, long stream);
}
