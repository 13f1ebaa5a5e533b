#include "checks.h"
#include "transformer_smla.h"

namespace emu::smla {

namespace {

const std::vector<const char*> kLengthInputs{
    "cuSeqlensQOptional",    "cuSeqlensOriKvOptional", "cuSeqlensCmpKvOptional",
    "sequsedQOptional",      "sequsedOriKvOptional",   "sequsedCmpKvOptional",
    "cmpResidualKvOptional", "oriTopkLengthOptional",  "cmpTopkLengthOptional",
};

int64_t last_extent(const Run& run, const char* name) {
    const Tensor* tensor = present(run, name);
    return tensor == nullptr ? 0 : tensor->dim(-1);
}

/** Attributes with the same name and meaning in both operators. */
void add_common(const Run& run, Plan& plan, bool compressed, bool mixed) {
    if (mixed) {
        plan.fields.emplace_back("quantMode", run.integer("quantMode"));
        plan.fields.emplace_back("ropeHeadDim", run.integer("ropeHeadDim"));
    }
    plan.fields.emplace_back("cmpRatio", compressed ? run.integer("cmpRatio") : 0);
    plan.fields.emplace_back("oriMaskMode", run.integer("oriMaskMode"));
    plan.fields.emplace_back("cmpMaskMode", compressed ? run.integer("cmpMaskMode") : 0);
    plan.fields.emplace_back("oriWinLeft", run.integer("oriWinLeft"));
    plan.fields.emplace_back("oriWinRight", run.integer("oriWinRight"));
    plan.fields.emplace_back("layoutQ", layout_code(run.text("layoutQOptional")));
    plan.fields.emplace_back("layoutKv", layout_code(run.text("layoutKvOptional")));
    plan.lengths = hash_lengths(run, kLengthInputs);
}

int64_t batch_of(const Run& run, int64_t dense) {
    const Tensor* prefix = present(run, "cuSeqlensQOptional");
    return run.text("layoutQOptional") == "TND" && prefix != nullptr ? prefix->numel() - 1 : dense;
}

}  // namespace

Plan announced(const Run& run, bool mixed) {
    Plan plan;
    plan.fields.emplace_back("numHeadsQ", run.integer("numHeadsQ"));
    plan.fields.emplace_back("headDim", run.integer("headDim"));
    plan.fields.emplace_back("batchSize", batch_of(run, run.integer("batchSize")));
    plan.fields.emplace_back("oriTopk", run.integer("oriTopk"));
    plan.fields.emplace_back("cmpTopk", run.integer("cmpTopk"));
    plan.fields.emplace_back("hasOriKv", run.flag("hasOriKv") ? 1 : 0);
    plan.fields.emplace_back("hasCmpKv", run.flag("hasCmpKv") ? 1 : 0);
    add_common(run, plan, run.flag("hasCmpKv"), mixed);
    return plan;
}

Plan needed(const Run& run, bool mixed) {
    Plan plan;
    const Tensor& q = *run.tensor("q");
    const bool compressed = present(run, "cmpKvOptional") != nullptr;
    plan.fields.emplace_back("numHeadsQ", q.dim(-2));
    plan.fields.emplace_back("headDim", q.dim(-1));
    plan.fields.emplace_back("batchSize", batch_of(run, q.dim(0)));
    plan.fields.emplace_back("oriTopk", last_extent(run, "oriSparseIndicesOptional"));
    plan.fields.emplace_back("cmpTopk", last_extent(run, "cmpSparseIndicesOptional"));
    plan.fields.emplace_back("hasOriKv", present(run, "oriKvOptional") != nullptr ? 1 : 0);
    plan.fields.emplace_back("hasCmpKv", compressed ? 1 : 0);
    add_common(run, plan, compressed, mixed);
    return plan;
}

}  // namespace emu::smla
