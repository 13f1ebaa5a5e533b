#include "kernel.h"

namespace weft::WEFT_ISA {

namespace {

struct Table {
    KernelEntry entries[WEFT_OP_COUNT] = {};

    Table() {
        register_gemm(entries);
        register_gated(entries);
        register_plain(entries);
        register_norm(entries);
        register_attention(entries);
        register_compress(entries);
        register_index(entries);
        register_moe(entries);
        register_hyper(entries);
        register_hyper_step(entries);
    }
};

}  // namespace

const KernelEntry *kernels() {
    static const Table table;
    return table.entries;
}

}  // namespace weft::WEFT_ISA
