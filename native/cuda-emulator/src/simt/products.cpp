#include "products.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>

#include "block.h"
#include "weft/cuda/ptx_floats.h"

namespace weft::simt {

// ---- of a thread

void Products::take_sums(Pending &pending) {
    const Product &p = pending.product;
    pending.is_first = true;
    pending.sums.assign(p.sums, p.sums + p.columns / 2);
    std::fill_n(p.sums, p.columns / 2, std::nanf(""));
}

void Products::begin(const Product &product) {
    bool is_first = std::none_of(pending_.begin(), pending_.end(),
                                 [&](const Pending &p) { return p.product.sums == product.sums; });
    pending_.push_back({product, is_first, {}});
    if (is_first) {
        take_sums(pending_.back());
    }
}

size_t Products::due(unsigned groups) const {
    return group_ends_.size() <= groups ? 0 : group_ends_[group_ends_.size() - groups - 1];
}

void Products::restore(size_t i) {
    if (pending_[i].is_first) {
        std::copy(pending_[i].sums.begin(), pending_[i].sums.end(), pending_[i].product.sums);
    }
}

void Products::done(size_t count, unsigned groups) {
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count));
    if (group_ends_.size() > groups) {
        group_ends_.erase(group_ends_.begin(), group_ends_.end() - static_cast<std::ptrdiff_t>(groups));
    }
    for (size_t &end : group_ends_) {
        end -= count;
    }
    for (size_t i = 0; i < pending_.size(); i++) {
        auto same = [&](const Pending &p) { return p.product.sums == pending_[i].product.sums; };
        if (std::none_of(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(i), same) &&
            !pending_[i].is_first) {
            take_sums(pending_[i]);
        }
    }
}

void Products::clear() {
    pending_.clear();
    group_ends_.clear();
}

// ---- stores and fences

namespace {

constexpr size_t mark_bytes = 16;
constexpr uint32_t thread_bits = 10;

uint32_t mark_of(const Thread &thread) {
    return (thread.stores << thread_bits | thread.number) + 1;
}

}  // namespace

void StoreMarks::use() {
    if (!is_used_) {
        marks_.assign(most_shared_bytes / mark_bytes, 0);
        is_used_ = true;
    }
}

void StoreMarks::mark(const void *at, size_t bytes, const Thread &thread) {
    if (!is_used_) {
        return;
    }
    size_t first = static_cast<size_t>(static_cast<const char *>(at) - start_);
    for (size_t i = first / mark_bytes; i <= (first + bytes - 1) / mark_bytes && i < marks_.size(); i++) {
        marks_[i] = mark_of(thread);
    }
}

void StoreMarks::check(const void *at) const {
    size_t i = static_cast<size_t>(static_cast<const char *>(at) - start_) / mark_bytes;
    if (!is_used_ || i >= marks_.size() || marks_[i] == 0) {
        return;
    }
    const Thread &writer = this_block->thread((marks_[i] - 1) & ((1u << thread_bits) - 1));
    if (mark_of(writer) == marks_[i]) {
        die("store-not-fenced", ("a product reads shared memory that thread " + std::to_string(writer.number) +
                                 " wrote without fence.proxy.async after it").c_str());
    }
}

// ---- of a warp. Layouts as in the figures of the PTX ISA for wgmma.m64nNk16 and .m64nNk32

namespace {

constexpr int rows = 16, most_columns = 256, row_bytes = 32;  // of a warp, of a step

float decoded(Factor format, const unsigned char *at) {
    uint16_t code;
    switch (format) {
        case Factor::BF16:
            std::memcpy(&code, at, 2);
            return ptx::from_bf16(code);
        case Factor::F16:
            std::memcpy(&code, at, 2);
            return ptx::from_f16(code);
        default:
            return ptx::from_e4m3(*at);
    }
}

/** Of a descriptor: where columns of B lie, each a run of K values. */
class Tile {
public:
    explicit Tile(const Product &p) : shared_(p.shared), start_(field(p.b, 0) << 4),
                                      leading_(field(p.b, 16) << 4), stride_(field(p.b, 32) << 4),
                                      mode_(static_cast<unsigned>(p.b >> 62)) {
        if ((p.b >> 49 & 7) != 0 || (p.b & 0x3FF1C000C000C000u) != 0 || p.b_is_transposed != 0) {
            die("wgmma-descriptor", "base offsets, reserved bits and transposed factors are not played");
        }
    }

    /** 16 bytes of column n, from byte 16 * half of its 32. */
    const unsigned char *unit(int n, int half) const {
        const uint32_t group = static_cast<uint32_t>(n / 8), row = static_cast<uint32_t>(n % 8);
        const auto step = static_cast<uint32_t>(half);
        uint32_t at;
        switch (mode_) {
            case 1:  // 128 bytes: address bits 4-6 with bits 7-9
                at = start_ + group * stride_ + row * 128 + step * 16;
                at ^= at >> 3 & 0x70;
                break;
            case 2:  // 64 bytes: bits 4-5 with bits 7-8
                at = start_ + group * stride_ + row * 64 + step * 16;
                at ^= at >> 3 & 0x30;
                break;
            case 3:  // 32 bytes: bit 4 with bit 7
                at = start_ + group * stride_ + row * 32 + step * 16;
                at ^= at >> 3 & 0x10;
                break;
            default:  // matrices of 8 x 16 bytes
                at = start_ + group * stride_ + row * 16 + step * leading_;
        }
        return reinterpret_cast<const unsigned char *>(shared_ + at);
    }

private:
    static uint32_t field(uint64_t b, int at) { return static_cast<uint32_t>(b >> at & 0x3FFF); }

    uint64_t shared_;
    uint32_t start_, leading_, stride_;
    unsigned mode_;
};

void read_b(const Product &p, int depth, double (*b)[most_columns]) {
    Tile tile(p);
    int bytes = row_bytes / depth;
    for (int n = 0; n < p.columns; n++) {
        for (int half = 0; half < 2; half++) {
            const unsigned char *unit = tile.unit(n, half);
            this_block->store_marks().check(unit);
            for (int i = 0; i < depth / 2; i++) {
                b[half * depth / 2 + i][n] = p.sign_b * static_cast<double>(decoded(p.format, unit + i * bytes));
            }
        }
    }
}

/** Lane 4 g + t has rows g and g + 8, of each 4 bytes from 4 t and then from 16 + 4 t. */
void read_a(const Product &p, int lane, int depth, double (*a)[32]) {
    int bytes = row_bytes / depth, in_word = 4 / bytes;
    for (int word = 0; word < 4; word++) {
        unsigned char at[4];
        std::memcpy(at, p.a[word], 4);
        for (int i = 0; i < in_word; i++) {
            a[lane / 4 + 8 * (word & 1)][(lane % 4 + 4 * (word >> 1)) * in_word + i] =
                p.sign_a * static_cast<double>(decoded(p.format, at + i * bytes));
        }
    }
}

/** Sum i of a lane is in row g + 8 (i / 2 % 2) and column 8 (i / 4) + 2 t + i % 2. */
void carry_out(const Product *const (&of)[32]) {
    // too large for the stack of a thread of the kernel
    static thread_local std::unique_ptr<double[][most_columns]> b(new double[32][most_columns]);
    const Product &first = *of[0];
    const int depth = first.format == Factor::E4M3 ? 32 : 16;
    double a[rows][32];
    read_b(first, depth, b.get());
    for (int lane = 0; lane < 32; lane++) {
        read_a(*of[lane], lane, depth, a);
    }
    for (int row = 0; row < rows; row++) {
        double sum[most_columns] = {};
        for (int k = 0; k < depth; k++) {
            for (int n = 0; n < first.columns; n++) {
                sum[n] += a[row][k] * b[k][n];
            }
        }
        for (int n = 0; n < first.columns; n++) {
            float &d = of[row % 8 * 4 + n % 8 / 2]->sums[n / 8 * 4 + row / 8 * 2 + n % 2];
            d = static_cast<float>(first.adds ? sum[n] + static_cast<double>(d) : sum[n]);
        }
    }
}

bool alike(const Product &x, const Product &y) {
    return x.format == y.format && x.columns == y.columns && x.b == y.b && x.adds == y.adds && x.sign_a == y.sign_a &&
           x.sign_b == y.sign_b;
}

Thread &thread_of(const Meeting &m, int lane) {
    return *reinterpret_cast<Thread *>(static_cast<uintptr_t>(m.word[lane][1]) << 32 | m.word[lane][0]);
}

void carry_out_due(Meeting &m) {
    if (m.came != 0xffffffffu) {
        die("wgmma-arguments", "lanes of the warp have returned");
    }
    const unsigned groups = m.word[0][2];
    const size_t due = thread_of(m, 0).products.due(groups);
    for (int lane = 0; lane < 32; lane++) {
        if (m.word[lane][2] != groups || thread_of(m, lane).products.due(groups) != due) {
            die("warp-divergence", "lanes of a warp wait for different products");
        }
    }
    for (size_t i = 0; i < due; i++) {
        const Product *of[32];
        for (int lane = 0; lane < 32; lane++) {
            of[lane] = &thread_of(m, lane).products[i];
            if (!alike(*of[0], *of[lane])) {
                die("wgmma-arguments", "lanes of a warp disagree about a product");
            }
            thread_of(m, lane).products.restore(i);
        }
        carry_out(of);
    }
    for (int lane = 0; lane < 32; lane++) {
        thread_of(m, lane).products.done(due, groups);
    }
}

}  // namespace

// ---- what kernels call

void expect_products() {
    this_block->store_marks().use();
}

void begin_products() {
    this_block->running().may_begin_products = true;
}

void begin_product(const Product &product) {
    Thread &thread = this_block->running();
    if (!thread.may_begin_products) {
        die("product-without-fence", "wgmma.mma_async without wgmma.fence since the last wait");
    }
    if (product.sign_a * product.sign_a != 1 || product.sign_b * product.sign_b != 1) {
        die("wgmma-arguments", "signs are 1 or -1");
    }
    thread.products.begin(product);
}

void commit_products() {
    this_block->running().products.commit();
}

void wait_products(int pending) {
    Thread &thread = this_block->running();
    auto at = reinterpret_cast<uintptr_t>(&thread);
    unsigned words[] = {static_cast<unsigned>(at), static_cast<unsigned>(at >> 32), static_cast<unsigned>(pending)};
    leave(meet(Collective::MMA, 0xffffffffu, words, 3, carry_out_due));
    thread.may_begin_products = false;
}

void mark_store(unsigned long long address, unsigned bytes) {
    this_block->store_marks().mark(reinterpret_cast<const void *>(address), bytes, this_block->running());
}

void fence_products() {
    this_block->running().stores++;
}

}  // namespace weft::simt
