// aclnnCompressor (master form): projections, state cache and the pooled entries. Norm, rotary and quantisation of the
// entries are not part of this operator.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "blocked.h"
#include "checks.h"
#include "rows.h"
#include "sequences.h"

namespace emu {

namespace {

constexpr const char* kDoc = "ops-transformer docs aclnnCompressor";
enum CacheMode : int64_t { kPaged = 1, kRing = 2 };

struct Shape {
    int64_t rows, batches, width, ratio, coff, entry;  // entry: D
    bool packed;
    int64_t channels() const { return coff * entry; }
};

Shape shape_of(const Arguments& a) {
    const Tensor& x = *a.tensor("x");
    const bool packed = x.rank() == 2;
    const Tensor* prefix = a.tensor("cuSeqlensOptional");
    const int64_t coff = a.integer("coff");
    return {packed ? x.dim(0) : x.dim(0) * x.dim(1),
            packed ? (prefix == nullptr ? 0 : prefix->numel() - 1) : x.dim(0),
            x.dim(-1),
            a.integer("cmpRatio"),
            coff,
            coff == 0 ? 0 : a.tensor("wkv")->dim(0) / coff,
            packed};
}

void check_state(Call& call, const Shape& s) {
    const Tensor& state = *call.tensor("stateCacheRef");
    const int64_t mode = call.integer("cacheMode");
    expect_dims(call, "stateCacheRef", state, {-1, -1, 2 * s.channels()}, kDoc);
    call.require(state.dim(0) > 0, kInvalid, "stateCache: no blocks", kDoc);
    expect_range(call, "stateCache block size", state.dim(1), 1, 1024, kInvalid, kDoc);
    expect_one_of(call, "cacheMode", mode, {kPaged, kRing}, kInvalid, kDoc);
    call.require(mode == kPaged || is950(call), kInvalid, "cacheMode 2: only on 950", kDoc);
    call.require(is950(call) ? contiguous_after_first(state) : state.contiguous(), kInvalid,
                 "stateCache: only the first axis may have gaps, and only on 950", kDoc);
    call.require(call.integer("stateCacheStrideDim0") == state.strides[0], kInvalid,
                 "stateCacheStrideDim0: found " + std::to_string(call.integer("stateCacheStrideDim0")) +
                     ", the tensor's stride is " + std::to_string(state.strides[0]),
                 kDoc);
    const Tensor* table = present(call, "stateBlockTableOptional");
    if (mode == kRing) {
        expect_optional(call, "stateBlockTableOptional", ACL_INT32, {s.batches}, kDoc);
        const Tensor& x = *call.tensor("x");
        call.require(s.packed || state.dim(1) >= s.coff * s.ratio + x.dim(1) - 1, kInvalid,
                     "stateCache: a ring must hold coff*ratio + S - 1 rows", kDoc);
    } else {
        expect_optional(call, "stateBlockTableOptional", ACL_INT32, {s.batches, -1}, kDoc);
    }
    call.require(table != nullptr || s.rows == 0, kInvalid, "stateBlockTable: required to reach the state cache", kDoc);
}

void check_results(Call& call, const Shape& s) {
    const Tensor& x = *call.tensor("x");
    std::vector<int64_t> dims = s.packed ? std::vector<int64_t>{std::min(s.rows, s.rows / s.ratio + s.batches)}
                                         : std::vector<int64_t>{s.batches, ceil_div(x.dim(1), s.ratio)};
    const std::vector<int64_t> entries = dims;
    dims.push_back(s.entry);
    call.dtypes("cmpKvOut", {x.dtype}, kDoc);
    expect_dims(call, "cmpKvOut", *call.tensor("cmpKvOut"), dims, kDoc);
    expect_contiguous(call, "cmpKvOut", kDoc);
    call.require(!call.flag("gradEnabled") || is950(call), kInvalid, "gradEnabled: only on 950", kDoc);
    if (call.flag("gradEnabled")) {
        dims = entries;
        dims.push_back(s.coff * s.ratio);
        dims.push_back(s.entry);
        for (const char* name : {"softmaxScoreOut", "kvOut"}) {
            call.need(name);
            call.dtypes(name, {ACL_FLOAT}, kDoc);
            expect_dims(call, name, *call.tensor(name), dims, kDoc);
        }
    }
}

void rule(Call& call) {
    for (const char* name : {"x", "wkv", "wgate", "stateCacheRef", "ape", "cmpKvOut"}) {
        call.need(name);
    }
    const Tensor& x = *call.tensor("x");
    call.dtypes("x", {ACL_BF16, ACL_FLOAT16}, kDoc);
    call.dtypes("wkv", {x.dtype}, kDoc);
    call.dtypes("wgate", {x.dtype}, kDoc);
    call.dtypes("stateCacheRef", {ACL_FLOAT}, kDoc);
    call.dtypes("ape", {ACL_FLOAT}, kDoc);
    call.require(x.rank() == 2 || x.rank() == 3, kInvalid, "x: expected [T, H] or [B, S, H]: found " + dims_text(x.dims),
                 kDoc);
    const int64_t ratio = call.integer("cmpRatio");
    expect_one_of(call, "coff", call.integer("coff"), {1, 2}, kInvalid, kDoc);
    expect_range(call, "cmpRatio", ratio, 2, 128, kInvalid, kDoc);
    call.require(is950(call) || std::has_single_bit(static_cast<uint64_t>(ratio)), kInvalid,
                 "cmpRatio: A2 and A3 need a power of two", kDoc);
    const Shape s = shape_of(call);
    expect_one_of(call, "D", s.entry, {128, 512}, kInvalid, kDoc);
    call.require(s.width >= 1024 && s.width <= 10240 && s.width % 512 == 0, kInvalid,
                 "H: a multiple of 512 in 1024..10240: found " + std::to_string(s.width), kDoc);
    for (const char* name : {"wkv", "wgate"}) {
        expect_dims(call, name, *call.tensor(name), {s.channels(), s.width}, kDoc);
    }
    expect_dims(call, "ape", *call.tensor("ape"), {ratio, s.channels()}, kDoc);
    for (const char* name : {"x", "wkv", "wgate", "ape"}) {
        expect_contiguous(call, name, kDoc);
    }
    call.require(s.packed == (call.tensor("cuSeqlensOptional") != nullptr), kInvalid,
                 "cuSeqlens: required for [T, H] and null for [B, S, H]", kDoc);
    if (s.packed) {
        call.dtypes("cuSeqlensOptional", {ACL_INT32}, kDoc);
        expect_dims(call, "cuSeqlensOptional", *call.tensor("cuSeqlensOptional"), {s.batches + 1}, kDoc);
    }
    expect_optional(call, "sequsedOptional", ACL_INT32, {s.batches}, kDoc);
    expect_optional(call, "startPosOptional", ACL_INT32, {s.batches}, kDoc);
    check_state(call, s);
    check_results(call, s);
    call.workspace(kCubeWorkspace);
}

/** Rows of key and score state by (sequence, position). */
class State {
  public:
    State(Run& run, const Shape& s)
        : run_(run),
          tensor_(*run.tensor("stateCacheRef")),
          base_(static_cast<float*>(run.raw(tensor_))),
          ring_(run.integer("cacheMode") == kRing),
          channels_(s.channels()) {
        if (const Tensor* table = present(run, "stateBlockTableOptional")) {
            table_ = run.ints(*table);
            width_ = ring_ ? 1 : table->dim(1);
        }
    }

    /** Block 0 of a paged cache means: do not store. */
    void write(int64_t batch, int64_t position, const float* key, const float* score) {
        const int64_t block = block_of(batch, position);
        if (block != 0 || ring_) {
            float* row = row_of(block, position);
            std::copy(key, key + channels_, row);
            std::copy(score, score + channels_, row + channels_);
        }
    }

    const float* read(int64_t batch, int64_t position) const { return row_of(block_of(batch, position), position); }

  private:
    int64_t block_of(int64_t batch, int64_t position) const {
        const int64_t column = ring_ ? 0 : position / tensor_.dim(1);
        if (column >= width_) {
            run_.device_exception("position " + std::to_string(position) + " beyond the state block table", kDoc);
        }
        const int64_t block = table_[static_cast<size_t>(batch * width_ + column)];
        if (block < 0 || block >= tensor_.dim(0)) {
            run_.device_exception("state block " + std::to_string(block) + " of " + std::to_string(tensor_.dim(0)),
                                  kDoc);
        }
        return block;
    }

    float* row_of(int64_t block, int64_t position) const {
        return base_ + block * tensor_.strides[0] + position % tensor_.dim(1) * tensor_.strides[1];
    }

    Run& run_;
    const Tensor& tensor_;
    float* base_;
    bool ring_;
    int64_t channels_, width_ = 0;
    std::vector<int64_t> table_;
};

/** rows x [channels] of x . wT in F32. */
std::vector<float> project(Run& run, const std::vector<float>& x, const char* weight, const Shape& s) {
    const std::vector<float> w = dense_floats(run, *run.tensor(weight));
    std::vector<float> out(static_cast<size_t>(s.rows * s.channels()));
    for (int64_t c = 0; c < s.channels(); c++) {
        for (int64_t r = 0; r < s.rows; r++) {
            out[static_cast<size_t>(r * s.channels() + c)] =
                dot(&x[static_cast<size_t>(r * s.width)], &w[static_cast<size_t>(c * s.width)], s.width);
        }
    }
    return out;
}

/** One sequence of the call: tokens [start, start+count), rows from `row`. */
struct Chunk {
    int64_t batch, row, start, count;
};

class Compress {
  public:
    Compress(Run& run, const Shape& s)
        : run_(run), s_(s), state_(run, s), ape_(run.floats(*run.tensor("ape"))) {
        const std::vector<float> x = dense_floats(run, *run.tensor("x"));
        keys_ = project(run, x, "wkv", s);
        scores_ = project(run, x, "wgate", s);
        const auto entries = static_cast<size_t>(run.tensor("cmpKvOut")->numel());
        out_.assign(entries, std::numeric_limits<float>::quiet_NaN());
        if (run.flag("gradEnabled")) {
            softmax_.assign(entries * static_cast<size_t>(s.coff * s.ratio), std::numeric_limits<float>::quiet_NaN());
            weighted_ = softmax_;
        }
    }

    /** `slot` is the first entry this sequence writes; returns the number written. */
    int64_t chunk(const Chunk& c, int64_t slot) {
        for (int64_t t = 0; t < c.count; t++) {  // the stored score includes the positional bias
            float* score = &scores_[static_cast<size_t>((c.row + t) * s_.channels())];
            const float* bias = &ape_[static_cast<size_t>((c.start + t) % s_.ratio * s_.channels())];
            for (int64_t i = 0; i < s_.channels(); i++) {
                score[i] += bias[i];
            }
        }
        const int64_t first = c.start / s_.ratio, last = (c.start + c.count) / s_.ratio;
        for (int64_t block = first; block < last; block++) {
            entry(c, block, slot + block - first);
        }
        // read before written: a ring may reuse the rows of the blocks just pooled
        const int64_t kept = run_.integer("cacheMode") == kRing ? (last - (s_.coff - 1)) * s_.ratio : c.start;
        for (int64_t t = 0; t < c.count; t++) {
            if (c.start + t >= kept) {
                const auto at = static_cast<size_t>((c.row + t) * s_.channels());
                state_.write(c.batch, c.start + t, &keys_[at], &scores_[at]);
            }
        }
        return last - first;
    }

    void store() {
        run_.store(*run_.tensor("cmpKvOut"), out_);
        if (run_.flag("gradEnabled")) {
            run_.store(*run_.tensor("softmaxScoreOut"), softmax_);
            run_.store(*run_.tensor("kvOut"), weighted_);
        }
    }

  private:
    /** Key and score lanes of a token, from this call or from the state. */
    std::pair<const float*, const float*> token(const Chunk& c, int64_t position, int64_t lane) const {
        if (position >= c.start) {
            const auto at = static_cast<size_t>((c.row + position - c.start) * s_.channels() + lane);
            return {&keys_[at], &scores_[at]};
        }
        const float* row = state_.read(c.batch, position) + lane;
        return {row, row + s_.channels()};
    }

    void entry(const Chunk& c, int64_t block, int64_t slot) {
        std::vector<std::pair<const float*, const float*>> rows;
        for (int64_t part = 0; part < s_.coff; part++) {
            const int64_t from = (block - (s_.coff - 1 - part)) * s_.ratio;  // overlap: the block before comes first
            for (int64_t t = 0; t < s_.ratio; t++) {
                rows.push_back(from < 0 ? std::pair<const float*, const float*>{nullptr, nullptr}
                                        : token(c, from + t, part * s_.entry));
            }
        }
        float* out = &out_[static_cast<size_t>(slot * s_.entry)];
        for (int64_t i = 0; i < s_.entry; i++) {
            float max = -std::numeric_limits<float>::infinity();
            for (const auto& [key, score] : rows) {
                max = score == nullptr ? max : std::fmax(max, score[i]);
            }
            float sum = 0, value = 0;
            for (const auto& [key, score] : rows) {
                sum += score == nullptr ? 0.0F : std::exp(score[i] - max);
            }
            for (size_t r = 0; r < rows.size(); r++) {
                const auto& [key, score] = rows[r];
                const float weight = score == nullptr ? 0.0F : std::exp(score[i] - max) / sum;
                const float part = score == nullptr ? 0.0F : weight * key[i];
                value += part;
                if (!softmax_.empty()) {
                    const auto at = (static_cast<size_t>(slot) * rows.size() + r) * static_cast<size_t>(s_.entry) +
                                    static_cast<size_t>(i);
                    softmax_[at] = weight;
                    weighted_[at] = part;
                }
            }
            out[i] = value;
        }
    }

    Run& run_;
    const Shape& s_;
    State state_;
    std::vector<float> ape_, keys_, scores_, out_, softmax_, weighted_;
};

std::vector<int64_t> ints_or(Run& run, const char* name, int64_t count, int64_t value) {
    const Tensor* tensor = present(run, name);
    return tensor != nullptr ? run.ints(*tensor) : std::vector<int64_t>(static_cast<size_t>(count), value);
}

void run(Run& run) {
    const Shape s = shape_of(run);
    if (s.rows == 0) {
        return;
    }
    const Tensor& x = *run.tensor("x");
    const std::vector<int64_t> starts = ints_or(run, "startPosOptional", s.batches, 0);
    const std::vector<int64_t> prefix = s.packed ? run.ints(*run.tensor("cuSeqlensOptional")) : std::vector<int64_t>{};
    if (s.packed) {
        check_prefix(run, prefix, s.rows, kDoc);
    }
    const std::vector<int64_t> used = ints_or(run, "sequsedOptional", s.batches, -1);
    Compress compress(run, s);
    int64_t slot = 0;
    for (int64_t b = 0; b < s.batches; b++) {
        const auto at = static_cast<size_t>(b);
        const int64_t rows = s.packed ? prefix[at + 1] - prefix[at] : x.dim(1);
        const int64_t count = used[at] == -1 ? rows : used[at];
        if (count < 0 || count > rows || starts[at] < 0) {
            run.device_exception("sequence " + std::to_string(b) + " uses " + std::to_string(count) + " of " +
                                     std::to_string(rows) + " rows from position " + std::to_string(starts[at]),
                                 kDoc);
        }
        if (!s.packed) {
            slot = b * ceil_div(x.dim(1), s.ratio);
        }
        slot += compress.chunk({b, s.packed ? prefix[at] : b * x.dim(1), starts[at], count}, slot);
    }
    compress.store();
}

EMU_OP(compressor, .name = "aclnnCompressor", .cite = kDoc, .rule = rule, .run = run,
       .writes = {"stateCacheRef", "cmpKvOut", "softmaxScoreOut", "kvOut"});

}  // namespace

}  // namespace emu
