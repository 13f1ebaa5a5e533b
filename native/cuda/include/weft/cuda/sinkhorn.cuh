// Coefficients of a hyper-connection from their logits.
#ifndef WEFT_CUDA_SINKHORN_CUH
#define WEFT_CUDA_SINKHORN_CUH

#include "weft/cuda/call.cuh"

namespace weft {

__device__ __forceinline__ float sigmoid(float x) {
    return static_cast<float>(1 / (1 + exp(-static_cast<double>(x))));
}

// Divides `count` lines by (their sum + eps); `next` separates lines, `step` values of a line.
__device__ __forceinline__ void divide_by_sums(float *matrix, int count, int next, int step, float eps) {
    for (int j = 0; j < count; j++) {
        float sum = 0;
        for (int k = 0; k < count; k++) {
            sum += matrix[j * next + k * step];
        }
        for (int k = 0; k < count; k++) {
            matrix[j * next + k * step] /= sum + eps;
        }
    }
}

// Makes a matrix [n, n] of logits nearly doubly stochastic, in place: row softmax plus eps and a column pass, then
// iterations - 1 times a row pass and a column pass.
__device__ __forceinline__ void sinkhorn(float *matrix, int n, int iterations, float eps) {
    for (int j = 0; j < n; j++) {
        float *row = matrix + j * n;
        double most = row[0];
        for (int k = 1; k < n; k++) {
            most = fmax(most, static_cast<double>(row[k]));
        }
        double sum = 0;
        for (int k = 0; k < n; k++) {
            sum += exp(row[k] - most);
        }
        for (int k = 0; k < n; k++) {
            row[k] = static_cast<float>(exp(row[k] - most) / sum) + eps;
        }
    }
    divide_by_sums(matrix, n, 1, n, eps);
    for (int i = 1; i < iterations; i++) {
        divide_by_sums(matrix, n, n, 1, eps);
        divide_by_sums(matrix, n, 1, n, eps);
    }
}

}  // namespace weft

#endif
