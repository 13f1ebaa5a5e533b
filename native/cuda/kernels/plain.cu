// Elementwise operators and copies.
#include "weft/cuda/call.cuh"
