package dev.weft.backend.cuda;

/** The constants of {@code cublasLt.h}, {@code cublas_api.h} and {@code library_types.h} that are used, under their names there. */
final class CublasLtConstants {
    // cublasStatus_t
    static final int CUBLAS_STATUS_SUCCESS = 0;
    static final int CUBLAS_STATUS_ALLOC_FAILED = 3;
    static final int CUBLAS_STATUS_INVALID_VALUE = 7;
    static final int CUBLAS_STATUS_NOT_SUPPORTED = 15;

    // cublasOperation_t
    static final int CUBLAS_OP_N = 0;
    static final int CUBLAS_OP_T = 1;

    // cublasComputeType_t
    static final int CUBLAS_COMPUTE_32F = 68;

    // cudaDataType_t
    static final int CUDA_R_32F = 0;
    static final int CUDA_R_16BF = 14;
    static final int CUDA_R_8F_E4M3 = 28;

    // cublasLtMatmulDescAttributes_t
    static final int CUBLASLT_MATMUL_DESC_TRANSA = 3;
    static final int CUBLASLT_MATMUL_DESC_TRANSB = 4;
    static final int CUBLASLT_MATMUL_DESC_A_SCALE_POINTER = 17;
    static final int CUBLASLT_MATMUL_DESC_B_SCALE_POINTER = 18;
    static final int CUBLASLT_MATMUL_DESC_A_SCALE_MODE = 31;
    static final int CUBLASLT_MATMUL_DESC_B_SCALE_MODE = 32;

    // cublasLtMatmulMatrixScale_t
    static final int CUBLASLT_MATMUL_MATRIX_SCALE_VEC128_32F = 4;
    static final int CUBLASLT_MATMUL_MATRIX_SCALE_BLK128x128_32F = 5;

    // cublasLtMatmulPreferenceAttributes_t
    static final int CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1;
    static final int CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES = 5;
    static final int CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES = 6;
    static final int CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES = 7;
    static final int CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES = 8;

    private CublasLtConstants() {}
}
