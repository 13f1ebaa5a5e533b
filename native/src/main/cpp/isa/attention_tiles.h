// The three loops of attention over one block of keys: scores, running softmax, values.
//
// Lanes are heads in the first two and columns in the third, so no sum crosses lanes. Each sum is one chain, along the
// width or along the keys, whatever the tile.
#ifndef WEFT_ATTENTION_TILES_H
#define WEFT_ATTENTION_TILES_H

#include "isa/attention_keys.h"
#include "isa/attention_words.h"

namespace weft::WEFT_ISA::attention {

/** Vectors of heads that share the broadcast word of a key. */
constexpr int PANELS = 2;
/** Keys per tile: PANELS * KEY_TILE sums, enough to hide the latency of a multiplication and no more than registers. */
constexpr int KEY_TILE = W == 16 ? 8 : 4;
/** Words of the width per pass: the query words of PANELS panels, 16 KiB, stay in the first-level cache. */
constexpr int64_t PASS_WORDS = 128;
/** Heads per tile of values; twice as many sums. */
constexpr int HEAD_TILE = W == 16 ? 8 : 4;
/** Floats between the scores of two keys. */
constexpr int64_t SCORE_STRIDE = PANELS * W;

static_assert(BLOCK_KEYS % KEY_TILE == 0 && W % HEAD_TILE == 0);

// ---- scores ----

/** Adds `words` words to the sums of P panels and KEY_TILE keys, then multiplies by `factor`. */
template <class U, int P>
WEFT_INLINE void score_tile(const uint32_t *query, int64_t panel_words, const typename U::Stored *const *keys,
                            int64_t column, int64_t words, bool begin, float factor, float *scores) {
    vf sums[KEY_TILE][P];
    const typename U::Stored *k[KEY_TILE];
#pragma GCC unroll 8
    for (int j = 0; j < KEY_TILE; j++) {
        k[j] = keys[j] + column;
#pragma GCC unroll 2
        for (int p = 0; p < P; p++) {
            sums[j][p] = begin ? vf{} : load(scores + j * SCORE_STRIDE + p * W);
        }
    }
#pragma GCC unroll 2
    for (int64_t i = 0; i < words; i++) {
        vu q[P];
#pragma GCC unroll 2
        for (int p = 0; p < P; p++) {
            q[p] = load_u32(query + p * panel_words + i * W);
        }
#pragma GCC unroll 8
        for (int j = 0; j < KEY_TILE; j++) {
            const vu word = broadcast_word(k[j] + i * U::PER_WORD);
#pragma GCC unroll 2
            for (int p = 0; p < P; p++) {
                sums[j][p] = U::multiply_add(q[p], word, sums[j][p]);
            }
        }
    }
#pragma GCC unroll 8
    for (int j = 0; j < KEY_TILE; j++) {
#pragma GCC unroll 2
        for (int p = 0; p < P; p++) {
            store(scores + j * SCORE_STRIDE + p * W, sums[j][p] * factor);
        }
    }
}

/** Scaled scores of P panels of heads, [BLOCK_KEYS][SCORE_STRIDE]; those behind the last key mean nothing. */
template <class U, int P>
void score_panels(const uint32_t *query, int64_t panel_words, const KeyBlock<typename U::Stored> &block, float scale,
                  float *scores) {
    const int64_t words = panel_words / W;
    for (int64_t first = 0; first < words; first += PASS_WORDS) {
        const int64_t count = least(PASS_WORDS, words - first);
        const float factor = first + count == words ? scale : 1.0f;
        for (int64_t j = 0; j < block.count; j += KEY_TILE) {
            score_tile<U, P>(query + first * W, panel_words, block.keys + j, first * U::PER_WORD, count, first == 0,
                             factor, scores + j * SCORE_STRIDE);
        }
    }
}

// ---- softmax ----

/** Running softmax, one float per head. `rescale` takes numerators to the new maximum. */
struct Softmax {
    float *maximum;
    float *denominator;
    float *rescale;
};

/** Lets the sinks join first: they bound every exponent below. */
WEFT_INLINE void begin_softmax(const Softmax &s, const float *sinks, int64_t heads, int64_t padded_heads) {
    for (int64_t h = 0; h < padded_heads; h++) {
        s.maximum[h] = h < heads ? sinks[h] : 0.0f;
        s.denominator[h] = s.maximum[h] == -__builtin_inff() ? 0.0f : 1.0f;
    }
}

/** Turns the scores of W heads into words of probabilities, [words][stride]. */
template <class U>
void add_scores(const float *scores, int64_t keys, const Softmax &s, uint32_t *probabilities, int64_t stride) {
    const vf before = load(s.maximum);
    vf greatest[4] = {before, before, before, before};
    for (int64_t j = 0; j < keys; j += 4) {
        for (int i = 0; i < 4; i++) {
            // in this order a NaN score is passed over
            greatest[i] = max(load(scores + least(j + i, keys - 1) * SCORE_STRIDE), greatest[i]);
        }
    }
    const vf maximum = max(max(greatest[0], greatest[1]), max(greatest[2], greatest[3]));
    vf sums[U::PER_WORD] = {};
    for (int64_t j = 0; j < keys; j += U::PER_WORD) {
        vf e[U::PER_WORD];
        for (int i = 0; i < U::PER_WORD; i++) {
            e[i] = j + i < keys ? exp(load(scores + (j + i) * SCORE_STRIDE) - maximum) : vf{};
            sums[i] += e[i];
        }
        store_u32(probabilities + j / U::PER_WORD * stride, U::probabilities(e));
    }
    vf sum = sums[0];
    for (int i = 1; i < U::PER_WORD; i++) {
        sum += sums[i];
    }
    const vf rescale = exp(before - maximum);
    store(s.rescale, rescale);
    store(s.denominator, fma(load(s.denominator), rescale, sum));
    store(s.maximum, maximum);
}

// ---- values ----

enum class Sums { NEW, KEPT, RESCALED };

/** sums = sums * rescale + probabilities . values for HEAD_TILE heads, [head][STRIP]. */
template <class U>
WEFT_INLINE void value_tile(const uint32_t *values, const uint32_t *probabilities, int64_t stride, int64_t words,
                            Sums state, const float *rescale, float *to) {
    vf sums[HEAD_TILE][2];
#pragma GCC unroll 8
    for (int h = 0; h < HEAD_TILE; h++) {
#pragma GCC unroll 2
        for (int v = 0; v < 2; v++) {
            sums[h][v] = state == Sums::NEW ? vf{} : load(to + h * STRIP + v * W);
        }
    }
    if (state == Sums::RESCALED) {
#pragma GCC unroll 8
        for (int h = 0; h < HEAD_TILE; h++) {
#pragma GCC unroll 2
            for (int v = 0; v < 2; v++) {
                sums[h][v] *= rescale[h];
            }
        }
    }
    for (int64_t i = 0; i < words; i++, values += STRIP, probabilities += stride) {
        const vu first = load_u32(values);
        const vu second = load_u32(values + W);
#pragma GCC unroll 8
        for (int h = 0; h < HEAD_TILE; h++) {
            const vu e = broadcast_word(probabilities + h);
            sums[h][0] = U::multiply_add(first, e, sums[h][0]);
            sums[h][1] = U::multiply_add(second, e, sums[h][1]);
        }
    }
#pragma GCC unroll 8
    for (int h = 0; h < HEAD_TILE; h++) {
#pragma GCC unroll 2
        for (int v = 0; v < 2; v++) {
            store(to + h * STRIP + v * W, sums[h][v]);
        }
    }
}

/** Whether the maximum of any head of a tile has changed. */
WEFT_INLINE bool changed(const float *rescale) {
    bool any = false;
    for (int h = 0; h < HEAD_TILE; h++) {
        any |= rescale[h] != 1.0f;
    }
    return any;
}

/** Words [first, last) of the values of one strip. */
template <class U>
WEFT_INLINE void pack_values(const KeyBlock<typename U::Stored> &block, int64_t column, int64_t first, int64_t last,
                             uint32_t *values) {
    for (int64_t i = first; i < last; i++) {
        vu low, high;
        U::strip(block.keys + i * U::PER_WORD, column, low, high);
        store_u32(values + i * STRIP, low);
        store_u32(values + i * STRIP + W, high);
    }
}

/** Asks for one strip of keys [first, last). */
template <class T>
WEFT_INLINE void prefetch_keys(const KeyBlock<T> &block, int64_t column, int64_t first, int64_t last) {
    for (int64_t j = first; j < least(last, block.count); j++) {
        for (int64_t c = 0; c < STRIP; c += CACHE_LINE / (int64_t)sizeof(T)) {
            __builtin_prefetch(block.keys[j] + column + c, 0, 2);
        }
    }
}

/**
 * Adds a block to the numerators, [width / STRIP][heads][STRIP]. The values of the next strip are packed in parts
 * between the tiles of a strip, whose multiplications hide the way of the keys from the second-level cache. The keys of
 * the block after this are asked for in the same places.
 *
 * @param values  room for two strips, [2][BLOCK_KEYS][STRIP]
 */
template <class U>
void add_values(const KeyBlock<typename U::Stored> &block, const KeyBlock<typename U::Element> &after,
                int64_t width, const uint32_t *probabilities, int64_t heads, bool begin, const float *rescale,
                uint32_t *values, float *numerators) {
    const int64_t words = ceil_div(block.count, U::PER_WORD);
    const int64_t part = ceil_div(words, heads / HEAD_TILE);
    uint32_t *packed = values;
    uint32_t *next = values + BLOCK_KEYS * STRIP;
    pack_values<U>(block, 0, 0, words, packed);
    for (int64_t column = 0; column < width; column += STRIP) {
        for (int64_t h = 0; h < heads; h += HEAD_TILE, numerators += HEAD_TILE * STRIP) {
            const int64_t first = h / HEAD_TILE * part;
            prefetch_keys(after, column, first * U::PER_WORD, (first + part) * U::PER_WORD);
            if (column + STRIP < width) {
                pack_values<U>(block, column + STRIP, first, least(words, first + part), next);
            }
            const Sums state = begin ? Sums::NEW : changed(rescale + h) ? Sums::RESCALED : Sums::KEPT;
            value_tile<U>(packed, probabilities + h, heads, words, state, rescale + h, numerators);
        }
        uint32_t *done = packed;
        packed = next;
        next = done;
    }
}

}  // namespace weft::WEFT_ISA::attention

#endif
