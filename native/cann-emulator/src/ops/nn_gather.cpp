// Reading entries by index. An index outside the table is a core exception of the running task, not an error code.
#include <string>
#include <vector>

#include "checks.h"
#include "support.h"

namespace emu {
namespace {

constexpr const char* kEmbeddingDoc = "ops-nn docs aclnnEmbedding";
constexpr const char* kSelectDoc = "ops-nn docs aclnnIndexSelect";
constexpr const char* kGatherV2Doc = "ops-nn docs aclnnGatherV2";
constexpr const char* kGatherV3Doc = "ops-nn docs aclnnGatherV3";
constexpr const char* kGatherDoc = "ops-nn docs aclnnGather";
constexpr const char* kGatherNdDoc = "ops-nn docs aclnnGatherNd";

void table_rule(Call& call, const char* table, const char* index, const char* cite) {
    const Tensor& self = call.need(table);
    call.need(index);
    call.need("out");
    call.dtypes(table, kNumbers, cite);
    call.dtypes(index, kIndices, cite);
    call.dtypes("out", {self.dtype}, cite);
    max_rank(call, table, 8, cite);
}

Dims spliced(const Dims& self, int axis, const Dims& index, int64_t batch_dims) {
    Dims shape(self.begin(), self.begin() + axis);
    shape.insert(shape.end(), index.begin() + batch_dims, index.end());
    shape.insert(shape.end(), self.begin() + axis + 1, self.end());
    return shape;
}

/** out[.., j.., ..] = self[.., index[j..], ..] along `axis`; the first batch_dims axes of self and index are one. */
void gather_entries(Run& run, Tensor self, int axis, Tensor index, Tensor out, int64_t batch_dims, const char* cite) {
    if (batch_dims > 0) {
        for (int64_t i = 0; i < self.dims[0]; i++) {
            gather_entries(run, at(self, 0, i), axis - 1, at(index, 0, i), at(out, 0, i), batch_dims - 1, cite);
        }
        return;
    }
    if (index.rank() > 0) {
        for (int64_t j = 0; j < index.dims[0]; j++) {
            // the remaining index axes follow at the same place of out
            gather_entries(run, self, axis, at(index, 0, j), at(out, axis, j), 0, cite);
        }
        return;
    }
    const int64_t entry = checked_index(run, run.ints(index)[0], self.dims[static_cast<size_t>(axis)], false, cite);
    move(run, at(self, axis, entry), out);
}

void embedding_rule(Call& call) {
    table_rule(call, "weight", "indices", kEmbeddingDoc);
    const Tensor& weight = call.need("weight");
    call.require(weight.rank() == 2, kInvalid, "weight is " + describe(weight) + ", not two-dimensional",
                 kEmbeddingDoc);
    same_shape(call, "out", spliced({1, weight.dims[1]}, 0, call.need("indices").dims, 0), kEmbeddingDoc);
}

void embedding_run(Run& run) {
    gather_entries(run, *run.tensor("weight"), 0, *run.tensor("indices"), *run.tensor("out"), 0, kEmbeddingDoc);
}

void select_rule(Call& call) {
    table_rule(call, "self", "index", kSelectDoc);
    const Tensor &self = call.need("self"), &index = call.need("index");
    call.require(index.rank() == 1, kInvalid, "index is " + describe(index) + ", not one-dimensional", kSelectDoc);
    same_shape(call, "out", spliced(self.dims, axis_of(call, call.integer("dim"), self.rank(), kSelectDoc), index.dims,
                                    0),
               kSelectDoc);
}

void gather_v2_rule(Call& call) {
    table_rule(call, "self", "index", kGatherV2Doc);
    const Tensor& self = call.need("self");
    const int axis = axis_of(call, call.integer("dim"), self.rank(), kGatherV2Doc);
    same_shape(call, "out", spliced(self.dims, axis, call.need("index").dims, 0), kGatherV2Doc);
}

void gather_v3_rule(Call& call) {
    table_rule(call, "self", "index", kGatherV3Doc);
    const Tensor &self = call.need("self"), &index = call.need("index");
    const int axis = axis_of(call, call.integer("dim"), self.rank(), kGatherV3Doc);
    const int64_t batch = call.integer("batchDims");
    call.require(batch >= 0 && batch <= axis && batch <= index.rank(), kInvalid,
                 "batchDims " + std::to_string(batch) + " with dim " + std::to_string(axis), kGatherV3Doc);
    for (int64_t i = 0; i < batch; i++) {
        call.require(self.dim(static_cast<int>(i)) == index.dim(static_cast<int>(i)), kInvalid, "batch axes differ",
                     kGatherV3Doc);
    }
    call.require(call.integer("mode") >= 0 && call.integer("mode") <= 1, kInvalid, "mode is not 0 or 1", kGatherV3Doc);
    same_shape(call, "out", spliced(self.dims, axis, index.dims, batch), kGatherV3Doc);
}

template <const char* const& cite>
void along_axis(Run& run) {
    const Tensor& self = *run.tensor("self");
    gather_entries(run, self, axis_of(run.integer("dim"), self.rank()), *run.tensor("index"), *run.tensor("out"), 0,
                   cite);
}

void gather_v3_run(Run& run) {
    const Tensor& self = *run.tensor("self");
    gather_entries(run, self, axis_of(run.integer("dim"), self.rank()), *run.tensor("index"), *run.tensor("out"),
                   run.integer("batchDims"), kGatherV3Doc);
}

// ---- element by element

void gather_rule(Call& call) {
    table_rule(call, "self", "index", kGatherDoc);
    const Tensor &self = call.need("self"), &index = call.need("index");
    const int axis = axis_of(call, call.integer("dim"), self.rank(), kGatherDoc);
    call.require(self.rank() == index.rank(), kInvalid, "self and index differ in rank", kGatherDoc);
    for (int i = 0; i < self.rank(); i++) {
        call.require(i == axis || index.dim(i) <= self.dim(i), kInvalid,
                     "index " + describe(index) + " exceeds self " + describe(self), kGatherDoc);
    }
    same_shape(call, "out", index.dims, kGatherDoc);
}

void gather_run(Run& run) {
    const Tensor& self = *run.tensor("self");
    const Tensor& index = *run.tensor("index");
    const auto axis = static_cast<size_t>(axis_of(run.integer("dim"), self.rank()));
    const Dims from = dense_strides(self.dims), to = dense_strides(index.dims);
    const std::vector<int64_t> table = run.ints(bits_of(self)), positions = run.ints(index);
    std::vector<int64_t> out(positions.size());
    for (size_t element = 0; element < out.size(); element++) {
        int64_t rest = static_cast<int64_t>(element), source = 0;
        for (size_t i = 0; i < from.size(); i++) {
            const int64_t here =
                i == axis ? checked_index(run, positions[element], self.dims[i], false, kGatherDoc) : rest / to[i];
            source += here * from[i];
            rest %= to[i];
        }
        out[element] = table[static_cast<size_t>(source)];
    }
    run.store(bits_of(*run.tensor("out")), out);
}

// ---- by tuples

void gather_nd_rule(Call& call) {
    table_rule(call, "self", "indices", kGatherNdDoc);
    const Tensor &self = call.need("self"), &indices = call.need("indices");
    call.require(indices.rank() > 0 && indices.dim(-1) <= self.rank() && indices.dim(-1) > 0, kInvalid,
                 "indices is " + describe(indices) + " for self " + describe(self), kGatherNdDoc);
    Dims shape(indices.dims.begin(), indices.dims.end() - 1);
    shape.insert(shape.end(), self.dims.begin() + indices.dim(-1), self.dims.end());
    same_shape(call, "out", shape, kGatherNdDoc);
}

void gather_nd_run(Run& run) {
    const Tensor& indices = *run.tensor("indices");
    const std::vector<int64_t> tuples = run.ints(indices);
    const int64_t width = indices.dim(-1);
    std::vector<int64_t> out;
    for (size_t first = 0; first < tuples.size(); first += static_cast<size_t>(width)) {
        Tensor entry = *run.tensor("self");
        for (int64_t i = 0; i < width; i++) {
            entry = at(entry, 0,
                       checked_index(run, tuples[first + static_cast<size_t>(i)], entry.dims[0],
                                     run.flag("negativeIndexSupport"), kGatherNdDoc));
        }
        const std::vector<int64_t> values = run.ints(bits_of(entry));
        out.insert(out.end(), values.begin(), values.end());
    }
    run.store(bits_of(*run.tensor("out")), out);
}

EMU_OP(embedding, "aclnnEmbedding", kEmbeddingDoc, embedding_rule, embedding_run, {"out"}, true, true);
EMU_OP(select, "aclnnIndexSelect", kSelectDoc, select_rule, along_axis<kSelectDoc>, {}, true, true);
EMU_OP(gather_v2, "aclnnGatherV2", kGatherV2Doc, gather_v2_rule, along_axis<kGatherV2Doc>, {}, true, true);
EMU_OP(gather_v3, "aclnnGatherV3", kGatherV3Doc, gather_v3_rule, gather_v3_run, {}, true, true);
EMU_OP(gather, "aclnnGather", kGatherDoc, gather_rule, gather_run, {}, true, true);
EMU_OP(gather_nd, "aclnnGatherNd", kGatherNdDoc, gather_nd_rule, gather_nd_run, {}, true, true);

}  // namespace
}  // namespace emu
