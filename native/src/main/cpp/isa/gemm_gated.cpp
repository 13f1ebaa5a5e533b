// Two products of the same rows and the activation of both, with their results in no memory but a tile's: by parts of 128
// columns, which are what an FP8 scale covers.
//
// Every value is computed as by the single operators, so it has their bits.
#include "isa/gemm_plan.h"
#include "isa/row_math.h"

namespace weft::WEFT_ISA {

namespace gemm {

namespace {

constexpr int64_t PART = CHUNK;
constexpr int64_t PART_PANELS = PART / ROWS;
/** Elements of a tile of either product: a part of a whole row block, or some parts of a few rows. */
constexpr int64_t TILE_ELEMENTS = BLOCK_ROWS * PART;
/** Panels of a block of few rows. */
constexpr int64_t MOST_PANELS = 64;
static_assert(MOST_PANELS * ROWS * DOT_TILE <= TILE_ELEMENTS, "the longest block fits a tile");

/** A call; operands as weft.h lists them. */
struct Gated {
    Problem gate;
    Problem up;
    float limit;
    const float *weights;  // of rows, null if there are none
    const weft_operand *result;
    bool quantised;
};

Gated gated(int64_t op, const int64_t *attributes, const weft_operand *operands) {
    const weft_operand &x = operands[0];
    const weft_operand *offsets = op == WEFT_GATED_EXPERT_GEMM ? &operands[2] : nullptr;
    const weft_operand *rest = operands + (offsets == nullptr ? 2 : 3);
    Gated g = {};
    g.gate = gemm::problem(x, operands[1], offsets, rest[0], false);
    g.up = gemm::problem(x, rest[1], offsets, rest[2], false);
    g.limit = real_attribute(attributes[0]);
    const bool weighted = attributes[1] != 0;
    g.weights = weighted ? static_cast<const float *>(rest[3].data) : nullptr;
    g.quantised = attributes[2] != 0;
    g.result = &rest[3 + (weighted ? 1 : 0) + (g.quantised ? 1 : 0)];
    return g;
}

/** Scratch of one thread: a tile of either product. */
int64_t tile_bytes(const Gated &g) {
    return TILE_ELEMENTS * (g.gate.out->dtype == WEFT_F32 ? 4 : 2);
}

/** Activates rows of the tiles, in place, and stores them as columns from `column` on. */
template <class T>
void activate(const Gated &g, T *gate, const T *up, RowRange rows, int64_t column, int64_t columns) {
    const weft_operand &to = *g.result;
    const int64_t blocks = g.gate.n / PART;
    for (int64_t r = 0; r < rows.count; r++, gate += columns, up += columns) {
        const int64_t row = rows.first + r;
        swiglu_row(gate, up, g.weights == nullptr ? 1.0f : g.weights[row], g.limit, gate, columns);
        if (!g.quantised) {
            __builtin_memcpy(static_cast<T *>(to.data) + row * to.pitch + column, gate, (uint64_t)columns * sizeof(T));
            continue;
        }
        auto *codes = static_cast<uint8_t *>(to.data) + row * to.pitch + column;
        auto *scales = static_cast<uint8_t *>(to.scale) + row * blocks + column / PART;
        for (int64_t c = 0; c < columns; c += PART) {
            scales[c / PART] = quantize_block<true>(gate + c, codes + c, PART);
        }
    }
}

/** Panels [panel, panel + panels) of both products for one row block. */
void compute(const Gated &g, const Segment &segment, int64_t row_block, int64_t panel, int64_t panels, uint8_t *rows,
             uint8_t *tiles) {
    const Problem *const products[] = {&g.gate, &g.up};
    uint8_t *const up = tiles + tile_bytes(g);
    uint8_t *tile = tiles;
    Block b = {};
    for (const Problem *p : products) {
        b = block(*p, segment, row_block, panel, panels, rows);
        b.out.data = tile;
        b.out.pitch = b.columns;
        p->kernel(b);
        tile = up;
    }
    const RowRange range = row_range(segment, row_block);
    const int64_t column = panel * ROWS;
    if (b.out.dtype == WEFT_F32) {
        activate(g, reinterpret_cast<float *>(tiles), reinterpret_cast<float *>(up), range, column, b.columns);
    } else {
        activate(g, reinterpret_cast<bf16 *>(tiles), reinterpret_cast<bf16 *>(up), range, column, b.columns);
    }
}

int64_t rows_bytes(const Gated &g) {
    return packing::ceil_div(converted_bytes(g.gate.x), LINE) * LINE;
}

void run_gated(const weft_command &command, Pool &pool) {
    const Gated g = gated(command.op, command.attributes, command.operands);
    if (g.gate.x.rows * g.gate.n == 0) {
        return;
    }
    const Segments s = segments(g.gate, command.workspace);
    if (s.row_blocks == 0) {
        return;
    }
    uint8_t *rows = static_cast<uint8_t *>(command.workspace) + segments_bytes(g.gate);
    uint8_t *tiles = rows + rows_bytes(g);
    convert(g.gate, s, rows, pool);
    const Line line(s, g.gate, PART_PANELS, MOST_PANELS);
    pool.parallel_claims(line.units(), [&](int64_t begin, int64_t end, int32_t thread) {
        uint8_t *own = tiles + thread * 2 * tile_bytes(g);
        line.each(begin, end, [&](const Segment &segment, int64_t part, int64_t panel, int64_t panels) {
            compute(g, segment, part, panel, panels, rows, own);
        });
    });
}

const char *gated_unsupported(const int64_t *attributes, const weft_operand *operands, int64_t count) {
    const weft_operand &result = operands[count - 1];
    if (attributes[2] != 0) {
        const bool codes = result.dtype == WEFT_F8_E4M3 && result.scaling == ((int64_t)1 << 32 | PART);
        return codes ? nullptr : "the activation must become F8_E4M3 with scales per 1x128";
    }
    return flows(result) ? nullptr : "the activation must be F32 or BF16";
}

template <int OP>
int64_t gated_workspace(const int64_t *attributes, const weft_operand *operands, int64_t, int32_t threads) {
    const Gated g = gated(OP, attributes, operands);
    return segments_bytes(g.gate) + rows_bytes(g) + threads * 2 * tile_bytes(g);
}

}  // namespace

}  // namespace gemm

void register_gated(KernelEntry *table) {
    using namespace gemm;
    table[WEFT_GATED_GEMM] = {run_gated, "gated_gemm", gated_unsupported, gated_workspace<WEFT_GATED_GEMM>, nullptr};
    table[WEFT_GATED_EXPERT_GEMM] = {run_gated, "gated_expert_gemm", gated_unsupported,
                                     gated_workspace<WEFT_GATED_EXPERT_GEMM>, nullptr};
}

}  // namespace weft::WEFT_ISA
