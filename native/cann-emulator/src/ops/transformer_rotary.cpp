// Rotary position embeddings: aclnnInplacePartialRotaryMul, aclnnRotaryPositionEmbedding, aclnnInterleaveRope.
// y = x*cos + rotate(x)*sin in F32; the three differ in which lanes are paired and where the result goes.
#include <algorithm>

#include "checks.h"

namespace emu {

namespace {

constexpr const char* kPartialDoc = "ops-transformer docs aclnnInplacePartialRotaryMul";
constexpr const char* kRotaryDoc = "ops-transformer docs aclnnRotaryPositionEmbedding";
constexpr const char* kInterleaveDoc = "ops-transformer docs aclnnInterleaveRope";

enum Mode : int64_t { kHalf = 0, kInterleave = 1, kQuarter = 2, kInterleaveHalf = 3 };

/** Position of cos and sin for a row of x: axes of extent 1 repeat. */
class Broadcast {
  public:
    Broadcast(const Tensor& x, const Tensor& table) : x_(x.dims), table_(table.dims) {}

    int64_t row(int64_t x_row) const {
        int64_t result = 0, scale = 1;
        for (int axis = static_cast<int>(x_.size()) - 2; axis >= 0; axis--) {
            const auto a = static_cast<size_t>(axis);
            const int64_t at = x_row % x_[a];
            x_row /= x_[a];
            result += (table_[a] == 1 ? 0 : at) * scale;
            scale *= table_[a];
        }
        return result;
    }

  private:
    std::vector<int64_t> x_, table_;
};

void rotate(int64_t mode, const float* x, const float* cos, const float* sin, int64_t n, float* out) {
    const int64_t half = n / 2, quarter = n / 4;
    for (int64_t i = 0; i < n; i++) {
        float self = x[i], other = 0;
        switch (mode) {
            case kHalf: other = i < half ? -x[i + half] : x[i - half]; break;
            case kInterleave: other = i % 2 == 0 ? -x[i + 1] : x[i - 1]; break;
            case kQuarter: other = i / quarter % 2 == 0 ? -x[i + quarter] : x[i - quarter]; break;
            default:  // even lanes first, then odd ones, then as half
                self = i < half ? x[2 * i] : x[2 * (i - half) + 1];
                other = i < half ? -x[2 * i + 1] : x[2 * (i - half)];
        }
        out[i] = self * cos[i] + other * sin[i];
    }
}

void rotate_all(Run& run, const Tensor& x, int64_t mode, int64_t from, int64_t to, const Tensor& out) {
    const Tensor& cos_tensor = *run.tensor("cos");
    const std::vector<float> cos = run.floats(cos_tensor), sin = run.floats(*run.tensor("sin"));
    std::vector<float> values = run.floats(x);
    const int64_t width = x.dim(-1), length = to - from;
    const int64_t rows = width == 0 ? 0 : x.numel() / width;
    const Broadcast broadcast(x, cos_tensor);
    std::vector<float> rotated(static_cast<size_t>(length));
    for (int64_t r = 0; r < rows && length > 0; r++) {
        float* lanes = &values[static_cast<size_t>(r * width + from)];
        const auto at = static_cast<size_t>(broadcast.row(r) * length);
        rotate(mode, lanes, &cos[at], &sin[at], length, rotated.data());
        std::copy(rotated.begin(), rotated.end(), lanes);
    }
    run.store(out, values);
}

void check_tables(Call& call, const Tensor& x, bool allow_float, const char* cite) {
    const Tensor& cos = call.need("cos");
    const Tensor& sin = call.need("sin");
    call.dtypes("cos", {x.dtype, allow_float ? ACL_FLOAT : x.dtype}, cite);
    call.dtypes("sin", {cos.dtype}, cite);
    expect_dims(call, "sin", sin, cos.dims, cite);
}

void partial_rule(Call& call) {
    const Tensor& x = call.need("xRef");
    call.dtypes("xRef", {ACL_BF16, ACL_FLOAT16, ACL_FLOAT}, kPartialDoc);
    check_tables(call, x, true, kPartialDoc);
    expect_one_of(call, "rotaryMode", call.integer("rotaryMode"), {kInterleave}, kInvalid, kPartialDoc);
    call.require(x.rank() == 4 && x.dim(-1) <= 1024 && x.dim(-1) % 2 == 0, kInvalid,
                 "x: expected [B, S, N, D up to 1024]: found " + dims_text(x.dims), kPartialDoc);
    for (const char* name : {"xRef", "cos", "sin"}) {
        expect_contiguous(call, name, kPartialDoc);
    }
    const std::vector<int64_t>* slice = call.integers("partialSlice");
    call.require(slice == nullptr || slice->empty() || slice->size() == 2, kInvalid, "partialSlice: expected two values",
                 kPartialDoc);
    const int64_t from = slice == nullptr || slice->empty() ? 0 : (*slice)[0];
    const int64_t to = slice == nullptr || slice->empty() ? x.dim(-1) : (*slice)[1];
    call.require(0 <= from && from <= to && to <= x.dim(-1) && (to - from) % 2 == 0, kInvalid,
                 "partialSlice: found " + std::to_string(from) + ".." + std::to_string(to), kPartialDoc);
    const Tensor& cos = *call.tensor("cos");
    const int64_t b = x.dim(0), s = x.dim(1), n = x.dim(2), d = to - from;
    using Dims = std::vector<int64_t>;
    const bool fits = is950(call) ? cos.dims == Dims{b, s, n, d} || cos.dims == Dims{b, 1, n, d} ||
                                        cos.dims == Dims{b, 1, 1, d} || cos.dims == Dims{1, 1, 1, d}
                                  : cos.dims == Dims{b, s, 1, d} || cos.dims == Dims{b, 1, 1, d};
    call.require(fits, kInvalid,
                 "cos, sin: found " + dims_text(cos.dims) + " for x " + dims_text(x.dims) + "; allowed are " +
                     (is950(call) ? "BSND, B1ND, B11D, 111D" : "BS1D, B11D"),
                 kPartialDoc);
}

void partial_run(Run& run) {
    const Tensor& x = *run.tensor("xRef");
    const std::vector<int64_t>* slice = run.integers("partialSlice");
    const bool whole = slice == nullptr || slice->empty();
    rotate_all(run, x, kInterleave, whole ? 0 : (*slice)[0], whole ? x.dim(-1) : (*slice)[1], x);
}

bool broadcasts(const Tensor& x, const Tensor& table) {
    bool fits = x.rank() == table.rank() && x.dim(-1) == table.dim(-1);
    for (size_t i = 0; fits && i + 1 < x.dims.size(); i++) {
        fits = table.dims[i] == 1 || table.dims[i] == x.dims[i];
    }
    return fits;
}

void rotary_rule(Call& call) {
    const Tensor& x = call.need("x");
    call.need("out");
    call.dtypes("x", {ACL_BF16, ACL_FLOAT16, ACL_FLOAT}, kRotaryDoc);
    call.dtypes("out", {x.dtype}, kRotaryDoc);
    check_tables(call, x, false, kRotaryDoc);
    call.shape("out", x.dims, kRotaryDoc);
    const int64_t mode = call.integer("mode"), width = x.dim(-1);
    const Tensor& cos = *call.tensor("cos");
    call.require(x.rank() == 3 || x.rank() == 4, kInvalid, "x: found " + dims_text(x.dims), kRotaryDoc);
    call.require(broadcasts(x, cos), kInvalid,
                 "cos, sin: " + dims_text(cos.dims) + " does not broadcast to " + dims_text(x.dims), kRotaryDoc);
    if (is950(call)) {
        expect_one_of(call, "mode", mode, {kHalf, kInterleave, kQuarter, kInterleaveHalf}, kInvalid, kRotaryDoc);
        call.require(width <= 1024 && width % (mode == kQuarter ? 4 : 2) == 0, kInvalid,
                     "x: last axis up to 1024 and divisible: found " + std::to_string(width), kRotaryDoc);
        return;
    }
    expect_one_of(call, "mode on A2 and A3", mode, {kHalf, kInterleave}, kInvalid, kRotaryDoc);
    call.require(width < 896 && width % 2 == 0, kInvalid, "x: last axis below 896 and even on A2 and A3", kRotaryDoc);
    if (mode == kInterleave) {
        const auto axes = std::count_if(cos.dims.begin(), cos.dims.end() - 1, [](int64_t d) { return d != 1; });
        call.require(axes <= 1, kInvalid,
                     "cos, sin: interleaved on A2 and A3 only vary along S: found " + dims_text(cos.dims), kRotaryDoc);
    }
}

void rotary_run(Run& run) {
    const Tensor& x = *run.tensor("x");
    rotate_all(run, x, run.integer("mode"), 0, x.dim(-1), *run.tensor("out"));
}

void interleave_rule(Call& call) {
    call.require(is950(call), kNoKernel, "only on Ascend 950", kInterleaveDoc);
    const Tensor& x = call.need("x");
    call.need("out");
    call.dtypes("x", {ACL_BF16, ACL_FLOAT16, ACL_FLOAT}, kInterleaveDoc);
    call.dtypes("out", {x.dtype}, kInterleaveDoc);
    check_tables(call, x, false, kInterleaveDoc);
    const Tensor& cos = *call.tensor("cos");
    call.require(x.rank() == 4 && x.dim(-1) == 64 && call.tensor("out")->dims == x.dims, kTiling,
                 "x, out: expected [B, N, S, 64]: found " + dims_text(x.dims), kInterleaveDoc);
    call.require(broadcasts(x, cos) && cos.dim(1) == 1, kTiling,
                 "cos, sin: found " + dims_text(cos.dims) + " for x " + dims_text(x.dims), kInterleaveDoc);
}

void interleave_run(Run& run) {
    const Tensor& x = *run.tensor("x");
    rotate_all(run, x, kInterleaveHalf, 0, x.dim(-1), *run.tensor("out"));
}

EMU_OP(partial_rotary, .name = "aclnnInplacePartialRotaryMul", .cite = kPartialDoc, .rule = partial_rule,
       .run = partial_run, .writes = {"xRef"}, .inplace = true);
EMU_OP(rotary, .name = "aclnnRotaryPositionEmbedding", .cite = kRotaryDoc, .rule = rotary_rule, .run = rotary_run,
       .writes = {"out"});
EMU_OP(interleave_rope, .name = "aclnnInterleaveRope", .cite = kInterleaveDoc, .rule = interleave_rule,
       .run = interleave_run, .writes = {"out"});

}  // namespace

}  // namespace emu
