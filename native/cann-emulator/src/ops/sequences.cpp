#include "sequences.h"

#include "checks.h"

namespace emu {

namespace {

void check_lengths(Run& run, const std::vector<int64_t>& lengths, int64_t limit, const char* cite) {
    for (int64_t length : lengths) {
        if (length < 0 || length > limit) {
            run.device_exception(
                "sequence length " + std::to_string(length) + " outside 0.." + std::to_string(limit), cite);
        }
    }
}

}  // namespace

void check_prefix(Run& run, const std::vector<int64_t>& prefix, int64_t limit, const char* cite) {
    int64_t before = 0;
    for (size_t i = 0; i < prefix.size(); i++) {
        if (prefix[i] < before || prefix[i] > limit || (i == 0 && prefix[i] != 0)) {
            run.device_exception("prefix sums must start at 0, not fall and stay within " + std::to_string(limit) +
                                     ": found " + std::to_string(prefix[i]) + " at " + std::to_string(i),
                                 cite);
        }
        before = prefix[i];
    }
}

Sequences Sequences::dense(Run& run, const Tensor& tensor, const Tensor* used, const char* cite) {
    Sequences s;
    s.layout_ = Layout::BSND;
    s.tensor_ = &tensor;
    s.cite_ = cite;
    s.lengths_ = used != nullptr ? run.ints(*used)
                                 : std::vector<int64_t>(static_cast<size_t>(tensor.dim(0)), tensor.dim(1));
    check_lengths(run, s.lengths_, tensor.dim(1), cite);
    return s;
}

Sequences Sequences::packed(Run& run, const Tensor& tensor, const Tensor& prefix, const Tensor* used,
                            const char* cite) {
    Sequences s;
    s.layout_ = Layout::TND;
    s.tensor_ = &tensor;
    s.cite_ = cite;
    s.starts_ = run.ints(prefix);
    check_prefix(run, s.starts_, tensor.dim(0), cite);
    for (size_t b = 0; b + 1 < s.starts_.size(); b++) {
        s.lengths_.push_back(s.starts_[b + 1] - s.starts_[b]);
    }
    if (used != nullptr) {
        const std::vector<int64_t> shorter = run.ints(*used);
        for (size_t b = 0; b < s.lengths_.size(); b++) {
            if (shorter[b] < 0 || shorter[b] > s.lengths_[b]) {
                run.device_exception("used length " + std::to_string(shorter[b]) + " of sequence " +
                                         std::to_string(b) + " outside its " + std::to_string(s.lengths_[b]) +
                                         " rows",
                                     cite);
            }
            s.lengths_[b] = shorter[b];
        }
    }
    return s;
}

Sequences Sequences::paged(Run& run, const Tensor& tensor, const Tensor& table, std::vector<int64_t> lengths,
                           const char* cite) {
    Sequences s;
    s.layout_ = Layout::PAGED;
    s.tensor_ = &tensor;
    s.cite_ = cite;
    s.table_ = run.ints(table);
    s.table_width_ = table.dim(1);
    s.lengths_ = std::move(lengths);
    check_lengths(run, s.lengths_, s.table_width_ * tensor.dim(1), cite);
    return s;
}

int64_t Sequences::row(Run& run, int64_t batch, int64_t token) const {
    switch (layout_) {
        case Layout::BSND: return batch * tensor_->dim(1) + token;
        case Layout::TND: return starts_[static_cast<size_t>(batch)] + token;
        case Layout::PAGED: break;
    }
    const int64_t size = tensor_->dim(1);
    const int64_t block = table_[static_cast<size_t>(batch * table_width_ + token / size)];
    if (block < 0 || block >= tensor_->dim(0)) {
        run.device_exception("block " + std::to_string(block) + " of token " + std::to_string(token) +
                                 " in sequence " + std::to_string(batch) + " outside 0.." +
                                 std::to_string(tensor_->dim(0) - 1),
                             cite_);
    }
    return block * size + token % size;
}

int64_t Sequences::element(int64_t row) const {
    if (layout_ == Layout::TND) {
        return row * tensor_->strides[0];
    }
    const int64_t size = tensor_->dim(1);
    return row / size * tensor_->strides[0] + row % size * tensor_->strides[1];
}

}  // namespace emu
