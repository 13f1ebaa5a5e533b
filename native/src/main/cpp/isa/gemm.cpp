// Gemm, GroupedGemm and ExpertGemm: all are a list of segments, cut into units of rows and panels that threads take.
#include "isa/gemm_plan.h"

namespace weft::WEFT_ISA {

namespace gemm {

namespace {

enum Operand { X = 0, WEIGHT = 1, OFFSETS = 2 };

/** Panels of a unit are a multiple of this: as many as the widest inner kernel takes at once. */
constexpr int64_t PANEL_GRAIN = 4;
constexpr int64_t MOST_PANELS = 64;
/** Units per thread that let the fast threads take over work of the slow ones. */
constexpr int64_t UNITS_PER_THREAD = 6;

Problem problem(int64_t op, const weft_operand *operands) {
    const bool experts = op == WEFT_EXPERT_GEMM;
    return gemm::problem(operands[X], operands[WEIGHT], experts ? &operands[OFFSETS] : nullptr,
                         operands[experts ? 3 : 2], op == WEFT_GROUPED_GEMM);
}

/** Panels of a unit. */
int64_t unit_panels(const Problem &p, const Segments &s, int32_t threads) {
    if (s.streamed) {
        return PANEL_GRAIN;
    }
    const int64_t fair = s.row_blocks * packing::ceil_div(p.n, ROWS) / (threads * UNITS_PER_THREAD);
    return minimum(packing::ceil_div(fair < 1 ? 1 : fair, PANEL_GRAIN) * PANEL_GRAIN, MOST_PANELS);
}

void run(const weft_command &command, Pool &pool) {
    const Problem p = problem(command.op, command.operands);
    if (p.x.rows * p.x.groups * p.n == 0) {
        return;
    }
    uint8_t *scratch = static_cast<uint8_t *>(command.workspace) + segments_bytes(p);
    const Segments s = segments(p, command.workspace);
    if (s.row_blocks == 0) {
        return;
    }
    convert(p, s, scratch, pool);
    const Line line(s, p, unit_panels(p, s, pool.threads()), MOST_PANELS);
    pool.parallel_claims(line.units(), [&](int64_t begin, int64_t end, int32_t) {
        line.each(begin, end, [&](const Segment &segment, int64_t part, int64_t panel, int64_t panels) {
            p.kernel(block(p, segment, part, panel, panels, scratch));
        });
    });
}

// ---- support ----

bool is_format(const weft_operand &operand, int64_t dtype, int64_t scale_rows, int64_t scale_columns) {
    return operand.dtype == dtype && operand.scaling == (scale_rows << 32 | scale_columns);
}

const char *unsupported(const int64_t *, const weft_operand *operands, int64_t count) {
    const weft_operand &x = operands[X];
    const weft_operand &w = operands[WEIGHT];
    const weft_operand &out = operands[count - 1];
    if (!is_format(x, WEFT_F32, 0, 0) && !is_format(x, WEFT_BF16, 0, 0) && !is_format(x, WEFT_F8_E4M3, 1, 128)) {
        return "x must be F32, BF16 or F8_E4M3 with scales per 1x128";
    }
    if (!is_format(w, WEFT_F32, 0, 0) && !is_format(w, WEFT_BF16, 0, 0) && !is_format(w, WEFT_F8_E4M3, 128, 128) &&
        !is_format(w, WEFT_F4_E2M1, 1, 32)) {
        return "w must be F32, BF16, F8_E4M3 with scales per 128x128 or F4_E2M1 with scales per 1x32";
    }
    if (w.dims[w.rank - 1] < 0 || w.dims[w.rank - 2] < 0) {
        return "the extents of w must be known";
    }
    if (out.dtype != WEFT_F32 && out.dtype != WEFT_BF16) {
        return "the result must be F32 or BF16";
    }
    return nullptr;
}

template <int OP>
int64_t workspace(const int64_t *, const weft_operand *operands, int64_t, int32_t) {
    const Problem p = problem(OP, operands);
    return segments_bytes(p) + converted_bytes(p.x);
}

const char *variant(const weft_operand *operands, int64_t) {
    switch (operands[WEIGHT].dtype) {
        case WEFT_F32:
            return "f32_gemm";
        case WEFT_BF16:
            return "bf16_gemm";
        case WEFT_F8_E4M3:
            return "fp8_gemm";
        default:
            return "mxfp4_gemm";
    }
}

}  // namespace

}  // namespace gemm

void register_gemm(KernelEntry *table) {
    using namespace gemm;
    table[WEFT_GEMM] = {gemm::run, "gemm", unsupported, workspace<WEFT_GEMM>, variant};
    table[WEFT_GROUPED_GEMM] = {gemm::run, "grouped_gemm", unsupported, workspace<WEFT_GROUPED_GEMM>, variant};
    table[WEFT_EXPERT_GEMM] = {gemm::run, "expert_gemm", unsupported, workspace<WEFT_EXPERT_GEMM>, variant};
}

}  // namespace weft::WEFT_ISA
