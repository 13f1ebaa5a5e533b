// Where the tokens of each sequence lie: the BSND, TND and paged layouts of the attention operators.
#ifndef EMU_OPS_SEQUENCES_H
#define EMU_OPS_SEQUENCES_H

#include <cstdint>
#include <string>
#include <vector>

#include "../op.h"

namespace emu {

enum class Layout { BSND, TND, PAGED };

/** Tokens of a query or key tensor by (sequence, position). */
class Sequences {
  public:
    /** BSND [B, S, ..]: all S tokens, or `used` of them. */
    static Sequences dense(Run& run, const Tensor& tensor, const Tensor* used, const char* cite);
    /** TND [T, ..] with prefix sums [B+1]; `used` may shorten a sequence. */
    static Sequences packed(Run& run, const Tensor& tensor, const Tensor& prefix, const Tensor* used, const char* cite);
    /** Blocks [blocks, block size, ..] reached through a table [B, width]; lengths from `used`. */
    static Sequences paged(Run& run, const Tensor& tensor, const Tensor& table, std::vector<int64_t> lengths,
                           const char* cite);

    int64_t batches() const { return static_cast<int64_t>(lengths_.size()); }
    int64_t length(int64_t batch) const { return lengths_[static_cast<size_t>(batch)]; }
    /** Index of the token among the rows of the first axes: b*S+s, t, or block*blockSize+slot. */
    int64_t row(Run& run, int64_t batch, int64_t token) const;
    /** Element offset of that row's first value, by the tensor's strides. */
    int64_t element(int64_t row) const;

  private:
    Layout layout_ = Layout::TND;
    const Tensor* tensor_ = nullptr;
    const char* cite_ = nullptr;
    std::vector<int64_t> lengths_;
    std::vector<int64_t> starts_;
    std::vector<int64_t> table_;
    int64_t table_width_ = 0;
};

/** Throws a device exception unless the values are 0 <= a[0] <= a[1] <= .. <= limit. */
void check_prefix(Run& run, const std::vector<int64_t>& prefix, int64_t limit, const char* cite);

}  // namespace emu

#endif
