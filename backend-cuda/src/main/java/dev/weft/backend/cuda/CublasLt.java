package dev.weft.backend.cuda;

import java.lang.foreign.MemorySegment;

/**
 * The functions of cuBLASLt that a device calls, as {@code cublasLt.h} declares them. Handles, descriptors and device addresses
 * are {@code long}; matrices are column-major; all but the version and the texts answer with a {@code cublasStatus_t}.
 */
interface CublasLt {
    long cublasLtGetVersion();

    MemorySegment cublasLtGetStatusName(int status);

    MemorySegment cublasLtGetStatusString(int status);

    int cublasLtCreate(MemorySegment outHandle);

    int cublasLtDestroy(long handle);

    int cublasLtMatmulDescCreate(MemorySegment outDescriptor, int computeType, int scaleType);

    int cublasLtMatmulDescSetAttribute(long descriptor, int attribute, MemorySegment value, long bytes);

    int cublasLtMatmulDescDestroy(long descriptor);

    int cublasLtMatrixLayoutCreate(MemorySegment outLayout, int type, long rows, long columns, long pitch);

    int cublasLtMatrixLayoutDestroy(long layout);

    int cublasLtMatmulPreferenceCreate(MemorySegment outPreference);

    int cublasLtMatmulPreferenceSetAttribute(long preference, int attribute, MemorySegment value, long bytes);

    int cublasLtMatmulPreferenceDestroy(long preference);

    int cublasLtMatmulAlgoGetHeuristic(
            long handle,
            long descriptor,
            long layoutA,
            long layoutB,
            long layoutC,
            long layoutD,
            long preference,
            int requested,
            MemorySegment outResults,
            MemorySegment outCount);

    int cublasLtMatmul(
            long handle,
            long descriptor,
            MemorySegment alpha,
            long a,
            long layoutA,
            long b,
            long layoutB,
            MemorySegment beta,
            long c,
            long layoutC,
            long d,
            long layoutD,
            MemorySegment algorithm,
            long workspace,
            long workspaceBytes,
            long stream);
}
