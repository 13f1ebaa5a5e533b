#include "pager.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

#include "packing.h"

namespace weft {

namespace {

/** Bytes that a thread reads at once: half of a second-level cache, so that packing finds them there. */
constexpr int64_t PIECE_BYTES = 256 << 10;

int64_t row_bytes(const weft_operand &matrix) {
    switch (matrix.dtype) {
        case WEFT_F4_E2M1:
            return matrix.dims[1] / 2;
        case WEFT_F8_E4M3:
            return matrix.dims[1];
        default:
            return matrix.dims[1] * (matrix.dtype == WEFT_BF16 ? 2 : 4);
    }
}

/** Rows and columns that share a scale; 0 if there are none. */
int64_t scale_rows(const weft_operand &matrix) {
    return matrix.scaling >> 32;
}

/** Bytes of one row of scales. */
int64_t scale_row_bytes(const weft_operand &matrix) {
    return matrix.scaling == 0 ? 0 : packing::ceil_div(matrix.dims[1], matrix.scaling & 0xFFFFFFFF);
}

/** A power of two, so that no piece straddles the 128 rows of an FP8 scale. */
int64_t piece_rows(const weft_operand &matrix) {
    int64_t rows = 128;
    while (rows > packing::ROWS && rows * row_bytes(matrix) > PIECE_BYTES) {
        rows /= 2;
    }
    return rows;
}

/** Bytes of rows from an origin's element or scale bytes. */
struct Span {
    int64_t file;
    int64_t offset;
    int64_t bytes;
};

/** Data and scales of a piece, which begin at multiples of the rows that share a scale or stay within them. */
Span data_span(const weft_operand &m, const weft_origin &from, int64_t first_row, int64_t rows) {
    return {from.data_file, from.data_offset + first_row * row_bytes(m), rows * row_bytes(m)};
}

Span scale_span(const weft_operand &m, const weft_origin &from, int64_t first_row, int64_t rows) {
    if (m.scaling == 0) {
        return {0, 0, 0};
    }
    int64_t first = first_row / scale_rows(m);
    int64_t end = packing::ceil_div(first_row + rows, scale_rows(m));
    return {from.scale_file, from.scale_offset + first * scale_row_bytes(m), (end - first) * scale_row_bytes(m)};
}

/** An operand of an operator that may be paged, and the one that says what of it is needed. */
struct Use {
    int64_t op;
    int weight;
    int selector;  // -1: all matrices
    bool by_ids;   // the selector holds row numbers, not the experts' first rows
};

constexpr Use USES[] = {
    {WEFT_GATHER, 0, 1, true},
    {WEFT_GEMM, 1, -1, false},
    {WEFT_GROUPED_GEMM, 1, -1, false},
    {WEFT_EXPERT_GEMM, 1, 2, false},
    {WEFT_GATED_GEMM, 1, -1, false},
    {WEFT_GATED_GEMM, 3, -1, false},
    {WEFT_GATED_EXPERT_GEMM, 1, 2, false},
    {WEFT_GATED_EXPERT_GEMM, 4, 2, false},
};

/** The paged weight of a use by a command, null if it is not paged. */
Paged *paged(const Use &u, const weft_command &command) {
    const weft_operand &weight = command.operands[u.weight];
    // a gathered table may have scales of its own
    const bool in_place = weight.scale == nullptr || (u.by_ids && weight.scaling != 0);
    return in_place ? nullptr : static_cast<Paged *>(weight.scale);
}

}  // namespace

Pager::Pager(uint8_t *slots, int64_t slot_bytes, int64_t slot_count)
    : memory_(slots), slot_bytes_(slot_bytes), slots_(size_t(slot_count)) {}

Paged *Pager::add(const weft_operand &matrix, bool packed, int64_t matrices, int64_t stride, uint8_t *home,
                  const weft_origin *origins) {
    if (home == nullptr && stride > slot_bytes_) {
        return nullptr;
    }
    auto weight = std::make_unique<Paged>();
    weight->pager = this;
    weight->matrix = matrix;
    weight->packed = packed;
    weight->stride = stride;
    weight->home = home;
    weight->origins.assign(origins, origins + matrices);
    weight->addresses.assign(size_t(matrices), nullptr);
    weight->slots.assign(home == nullptr ? size_t(matrices) : 0, -1);
    weight->address = weight->addresses.data();
    missing_.reserve(std::max(missing_.capacity(), size_t(matrices)));
    const int64_t rows = std::min(piece_rows(matrix), matrix.dims[0]);
    const weft_origin none = {};
    int64_t bytes = data_span(matrix, none, 0, rows).bytes + scale_span(matrix, none, 0, rows).bytes;
    staging_bytes_ = std::max(staging_bytes_, bytes);
    weights_.push_back(std::move(weight));
    return weights_.back().get();
}

void Pager::counters(int64_t *to) const {
    const int64_t values[4] = {hits_, misses_, bytes_, evictions_};
    std::copy_n(values, 4, to);
}

void Pager::failure(int64_t *to) const {
    std::copy_n(failure_, 4, to);
}

bool Pager::fail(Paged &weight, int64_t matrix, Error error) {
    const int64_t values[4] = {error.code, int64_t(reinterpret_cast<intptr_t>(&weight)), matrix, error.detail};
    std::copy_n(values, 4, failure_);
    return false;
}

void Pager::touch(Paged &weight, int64_t matrix) {
    if (weight.address[matrix] != nullptr) {
        hits_++;
        if (weight.home == nullptr) {
            slots_[size_t(weight.slots[size_t(matrix)])].used = now_;
        }
    } else if (missing_.empty() || missing_.back() != matrix) {
        missing_.push_back(matrix);
    }
}

/** Notes the matrices that the command needs and that are not in memory. */
void Pager::select(Paged &weight, const weft_operand *selector, bool by_ids) {
    const int64_t matrices = int64_t(weight.addresses.size());
    missing_.clear();
    if (selector == nullptr) {
        for (int64_t m = 0; m < matrices; m++) {
            touch(weight, m);
        }
        return;
    }
    auto *values = static_cast<const int32_t *>(selector->data);
    if (!by_ids) {
        for (int64_t m = 0; m < matrices; m++) {
            if (values[m + 1] > values[m]) {
                touch(weight, m);
            }
        }
        return;
    }
    for (int64_t i = 0; i < selector->dims[0]; i++) {
        int64_t m = values[i] / weight.matrix.dims[0];
        if (values[i] >= 0 && m < matrices) {  // the kernel answers for ids outside of the table
            touch(weight, m);
        }
    }
    std::sort(missing_.begin(), missing_.end());
    missing_.erase(std::unique(missing_.begin(), missing_.end()), missing_.end());
}

bool Pager::provide(Paged &weight, const weft_operand *selector, bool by_ids, Pool &pool) {
    try {
        select(weight, selector, by_ids);
        for (int64_t m : missing_) {
            if (!place(weight, m)) {
                give_back(weight);
                return false;
            }
        }
        return missing_.empty() || load(weight, pool);
    } catch (const std::bad_alloc &) {
        give_back(weight);
        return fail(weight, 0, {WEFT_PAGE_NO_MEMORY, 0});
    }
}

Pager::Slot *Pager::oldest() {
    if (fresh_ < int64_t(slots_.size())) {
        return &slots_[size_t(fresh_++)];
    }
    Slot *found = nullptr;
    for (Slot &s : slots_) {
        if (s.used < now_ && (found == nullptr || s.used < found->used)) {
            found = &s;
        }
    }
    return found;
}

/** Gives a matrix the room it will be read to. */
bool Pager::place(Paged &weight, int64_t matrix) {
    if (weight.home != nullptr) {
        return true;
    }
    Slot *slot = oldest();
    if (slot == nullptr) {
        return fail(weight, matrix, {WEFT_PAGE_NO_SLOT, int64_t(slots_.size())});
    }
    if (slot->owner != nullptr) {
        slot->owner->address[slot->matrix] = nullptr;
        slot->owner->slots[size_t(slot->matrix)] = -1;
        evictions_++;
    }
    *slot = {&weight, matrix, now_};
    weight.slots[size_t(matrix)] = slot - slots_.data();
    return true;
}

/** Frees the slots of matrices that were placed but not read. */
void Pager::give_back(Paged &weight) {
    for (int64_t m : missing_) {
        if (weight.home == nullptr && weight.slots[size_t(m)] >= 0) {
            slots_[size_t(weight.slots[size_t(m)])] = {};
            weight.slots[size_t(m)] = -1;
        }
    }
}

uint8_t *Pager::room(const Paged &weight, int64_t matrix) const {
    return weight.home != nullptr ? weight.home + matrix * weight.stride
                                  : memory_ + weight.slots[size_t(matrix)] * slot_bytes_;
}

/** Cuts the missing matrices into pieces and makes sure that every thread has staging memory. */
void Pager::plan(Paged &weight, int32_t threads) {
    const int64_t rows = piece_rows(weight.matrix), all = weight.matrix.dims[0];
    pieces_.clear();
    for (int64_t m : missing_) {
        for (int64_t r = 0; r < all; r += rows) {
            pieces_.push_back({m, r, std::min(rows, all - r), {}});
        }
    }
    if (staging_.size() < size_t(threads)) {
        staging_.resize(size_t(threads));
    }
    for (auto &s : staging_) {
        if (s == nullptr) {
            s.reset(new uint8_t[size_t(staging_bytes_)]);
        }
    }
}

bool Pager::load(Paged &weight, Pool &pool) {
    plan(weight, pool.threads());
    std::atomic<bool> failed{false};
    pool.parallel_for(int64_t(pieces_.size()), [&](int64_t item, int32_t thread) {
        Piece &piece = pieces_[size_t(item)];
        if (!failed.load()) {
            piece.error = read(weight, piece, staging_[size_t(thread)].get());
            if (piece.error.code != 0) {
                failed.store(true);
            }
        }
    });
    for (const Piece &piece : pieces_) {
        if (piece.error.code != 0) {
            give_back(weight);
            return fail(weight, piece.matrix, piece.error);
        }
    }
    publish(weight);
    return true;
}

void Pager::publish(Paged &weight) {
    for (int64_t m : missing_) {
        weight.address[m] = room(weight, m);
    }
    const weft_origin none = {};
    const int64_t rows = weight.matrix.dims[0];
    misses_ += int64_t(missing_.size());
    bytes_ += int64_t(missing_.size()) *
              (data_span(weight.matrix, none, 0, rows).bytes + scale_span(weight.matrix, none, 0, rows).bytes);
}

/** Fills `to`; WEFT_PAGE_OK or why not, with its detail. */
static int64_t read_span(const Span &span, uint8_t *to, int64_t &detail) {
    for (int64_t done = 0; done < span.bytes;) {
        ssize_t n = pread(int(span.file), to + done, size_t(span.bytes - done), span.offset + done);
        if (n == 0) {
            detail = span.offset + done;
            return WEFT_PAGE_SHORT;
        }
        if (n < 0 && errno != EINTR) {
            detail = errno;
            return WEFT_PAGE_IO;
        }
        done += n > 0 ? n : 0;
    }
    return WEFT_PAGE_OK;
}

Pager::Error Pager::read(const Paged &weight, const Piece &piece, uint8_t *staging) const {
    const weft_operand &m = weight.matrix;
    const weft_origin &from = weight.origins[size_t(piece.matrix)];
    const Span data = data_span(m, from, piece.first_row, piece.rows);
    const Span scale = scale_span(m, from, piece.first_row, piece.rows);
    uint8_t *target = room(weight, piece.matrix);
    uint8_t *scales = staging + data.bytes;
    int64_t detail = 0;
    if (!weight.packed) {
        int64_t code = read_span(data, target + piece.first_row * row_bytes(m), detail);
        return {code, detail};
    }
    int64_t code = read_span(data, staging, detail);
    code = code != 0 ? code : read_span(scale, scales, detail);
    if (code != 0) {
        return {code, detail};
    }
    if (auto *nan = static_cast<const uint8_t *>(std::memchr(scales, 255, size_t(scale.bytes)))) {
        return {WEFT_PAGE_NAN_SCALE, scale.offset - from.scale_offset + (nan - scales)};
    }
    weft_operand rows = m;
    rows.data = staging;
    rows.scale = scales;
    rows.pitch = m.dims[1];
    rows.dims[0] = piece.rows;
    packing::pack(rows, target + piece.first_row / packing::ROWS * packing::panel_bytes(m.dtype, m.dims[1]));
    return {0, 0};
}

bool provide_weights(const weft_command &command, Pool &pool) {
    for (const Use &u : USES) {
        if (u.op == command.op && paged(u, command) != nullptr) {
            paged(u, command)->pager->begin_command();
        }
    }
    for (const Use &u : USES) {
        Paged *weight = u.op == command.op ? paged(u, command) : nullptr;
        const weft_operand *selector = u.selector < 0 ? nullptr : &command.operands[u.selector];
        if (weight != nullptr && !weight->pager->provide(*weight, selector, u.by_ids, pool)) {
            return false;
        }
    }
    return true;
}

}  // namespace weft

using namespace weft;

static Pager *unwrap(weft_pager *pager) {
    return reinterpret_cast<Pager *>(pager);
}

extern "C" {

int64_t weft_file_open(const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    return file < 0 ? -int64_t(errno) : file;
}

int64_t weft_file_bytes(int64_t file) {
    struct stat status;
    return fstat(int(file), &status) == 0 ? int64_t(status.st_size) : -int64_t(errno);
}

void weft_file_close(int64_t file) {
    close(int(file));
}

weft_pager *weft_pager_create(void *slots, int64_t slot_bytes, int64_t slot_count) {
    try {
        return reinterpret_cast<weft_pager *>(new Pager(static_cast<uint8_t *>(slots), slot_bytes, slot_count));
    } catch (const std::exception &) {
        return nullptr;
    }
}

void weft_pager_destroy(weft_pager *pager) {
    delete unwrap(pager);
}

weft_paged *weft_pager_add(weft_pager *pager, const weft_operand *matrix, int64_t packed, int64_t matrices,
                           int64_t stride, void *home, const weft_origin *origins) {
    if (matrix->rank != 2 || (packed != 0 && packing::unsupported(*matrix) != nullptr)) {
        return nullptr;
    }
    try {
        return reinterpret_cast<weft_paged *>(
            unwrap(pager)->add(*matrix, packed != 0, matrices, stride, static_cast<uint8_t *>(home), origins));
    } catch (const std::exception &) {
        return nullptr;
    }
}

void weft_pager_counters(const weft_pager *pager, int64_t counters[4]) {
    reinterpret_cast<const Pager *>(pager)->counters(counters);
}

void weft_pager_failure(const weft_pager *pager, int64_t failure[4]) {
    reinterpret_cast<const Pager *>(pager)->failure(failure);
}

}  // extern "C"
