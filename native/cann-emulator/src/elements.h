// Where the elements of a tensor lie: strided views and the fractal (NZ) storage of weights.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "op.h"

namespace emu {

/** Storage index, in elements from the tensor's address, of elements in the row-major order of dims. */
class ElementWalk {
  public:
    explicit ElementWalk(const Tensor& t);

    /** Calls body(element number, storage index, step) for runs of `run()` elements along the last axis. */
    template <typename Body>
    void rows(Body body) const {
        int64_t total = tensor_.numel();
        if (total == 0) {
            return;
        }
        std::vector<int64_t> at(tensor_.dims.size(), 0);
        for (int64_t element = 0; element < total; element += run_) {
            body(element, at);
            for (int axis = static_cast<int>(at.size()) - 2; axis >= 0; axis--) {
                if (++at[axis] < tensor_.dims[axis]) {
                    break;
                }
                at[axis] = 0;
            }
        }
    }

    int64_t run() const { return run_; }
    int64_t step() const { return step_; }
    bool fractal() const { return fractal_; }
    int64_t index(const std::vector<int64_t>& at) const;

  private:
    int64_t fractal_index(const std::vector<int64_t>& at) const;

    const Tensor& tensor_;
    int64_t run_, step_;
    bool fractal_, transposed_ = false;
    int64_t block_ = 0, rows_ = 0, matrix_ = 0;
};

struct ByteRange {
    uint64_t begin, end;
};

/** The bytes a tensor's elements occupy: one range when dense, one a row when that is a bounded number. */
std::vector<ByteRange> touched(const Tensor& t);

/** Bytes of the whole storage, from the tensor's address; the view's last element may not lie beyond it. */
uint64_t storage_bytes(const Tensor& t);
uint64_t view_end_bytes(const Tensor& t);

}  // namespace emu
