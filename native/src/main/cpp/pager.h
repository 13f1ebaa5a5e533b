// Weights that are read from their files when a command needs them (weft.h).
#ifndef WEFT_PAGER_H
#define WEFT_PAGER_H

#include <stdint.h>

#include <memory>
#include <vector>

#include "pool.h"
#include "weft/weft.h"

namespace weft {

class Pager;

/** One weight of a pager. */
struct Paged {
    /** Where each matrix is, null while it is not in memory. First, because kernels read it (packing::matrix_at). */
    const uint8_t **address;
    Pager *pager;
    weft_operand matrix;
    bool packed;
    int64_t stride;
    uint8_t *home;
    std::vector<weft_origin> origins;
    std::vector<const uint8_t *> addresses;
    std::vector<int64_t> slots;
};

class Pager {
public:
    Pager(uint8_t *slots, int64_t slot_bytes, int64_t slot_count);

    /** Null if a slot is too small. @throws std::bad_alloc */
    Paged *add(const weft_operand &matrix, bool packed, int64_t matrices, int64_t stride, uint8_t *home,
               const weft_origin *origins);

    /** From here on no matrix gives way that is provided until the next command. */
    void begin_command() { now_++; }

    /**
     * Brings matrices of `weight` into memory that a command needs; false if that fails.
     *
     * @param selector row numbers (`by_ids`) or the experts' first rows; null for all matrices
     */
    bool provide(Paged &weight, const weft_operand *selector, bool by_ids, Pool &pool);

    void counters(int64_t *to) const;
    void failure(int64_t *to) const;

private:
    struct Slot {
        Paged *owner = nullptr;
        int64_t matrix = 0;
        int64_t used = 0;
    };

    /** Why a piece could not be read; a code of 0 if it could. */
    struct Error {
        int64_t code;
        int64_t detail;
    };

    /** Rows of a matrix that one thread reads at a time. */
    struct Piece {
        int64_t matrix;
        int64_t first_row;
        int64_t rows;
        Error error;
    };

    void select(Paged &weight, const weft_operand *selector, bool by_ids);
    void touch(Paged &weight, int64_t matrix);
    bool load(Paged &weight, Pool &pool);
    bool place(Paged &weight, int64_t matrix);
    void give_back(Paged &weight);
    void publish(Paged &weight);
    Slot *oldest();
    uint8_t *room(const Paged &weight, int64_t matrix) const;
    void plan(Paged &weight, int32_t threads);
    Error read(const Paged &weight, const Piece &piece, uint8_t *staging) const;
    bool fail(Paged &weight, int64_t matrix, Error error);

    uint8_t *memory_;
    int64_t slot_bytes_;
    std::vector<Slot> slots_;
    int64_t fresh_ = 0;  // slots from here on were never used: their memory is not touched before it is needed
    int64_t now_ = 0;
    std::vector<std::unique_ptr<Paged>> weights_;
    std::vector<int64_t> missing_;
    std::vector<Piece> pieces_;
    std::vector<std::unique_ptr<uint8_t[]>> staging_;  // per thread
    int64_t staging_bytes_ = 0;
    int64_t hits_ = 0, misses_ = 0, bytes_ = 0, evictions_ = 0;
    int64_t failure_[4] = {};
};

/** Provides all paged weights of a command; false if one could not be read. */
bool provide_weights(const weft_command &command, Pool &pool);

}  // namespace weft

#endif
