// Weights read on demand: the bits of packed weights, least recently used experts give way, damaged files are errors.
// Exits with 1 at failures.
#include <stdlib.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "weft/weft.h"

namespace {

int failures = 0;

void check(bool holds, const std::string &what) {
    if (!holds && ++failures <= 20) {
        std::printf("FAILED %s\n", what.c_str());
    }
}

constexpr int64_t EXPERTS = 6, N = 40, K = 96, ROWS = 5;
constexpr int64_t DATA = N * K / 2, SCALES = N * K / 32;
constexpr int64_t SCALING = int64_t(1) << 32 | 32;

/** 64-byte aligned memory. */
struct Memory {
    uint8_t *bytes;

    explicit Memory(int64_t size) : bytes(static_cast<uint8_t *>(aligned_alloc(64, size_t(size + 63) / 64 * 64))) {}
    ~Memory() { free(bytes); }
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;
};

weft_operand operand(void *data, int64_t dtype, std::vector<int64_t> dims, int64_t scaling = 0) {
    weft_operand o = {};
    o.data = data;
    o.dtype = dtype;
    o.scaling = scaling;
    o.rank = int64_t(dims.size());
    o.pitch = 1;
    for (size_t i = 0; i < dims.size(); i++) {
        o.dims[i] = dims[i];
        o.pitch *= i == 0 ? 1 : dims[i];
    }
    return o;
}

/** A file with a table of BF16 rows, then the experts' codes and scales. */
struct File {
    static constexpr int64_t TABLE_ROWS = 12, WIDTH = 8, TABLE = TABLE_ROWS * WIDTH * 2;

    std::vector<uint8_t> bytes = std::vector<uint8_t>(size_t(TABLE + EXPERTS * (DATA + SCALES)));
    char path[32] = "/tmp/weft-pager-XXXXXX";
    int writer;
    int64_t reader;

    File() : writer(mkstemp(path)), reader(weft_file_open(path)) {
        std::mt19937 random(7);
        for (uint8_t &b : bytes) {
            b = uint8_t(random());
        }
        for (int64_t e = 0; e < EXPERTS; e++) {
            for (int64_t i = 0; i < SCALES; i++) {
                bytes[size_t(scales(e) + i)] = uint8_t(120 + random() % 12);
            }
        }
        for (int64_t i = 1; i < TABLE; i += 2) {
            bytes[size_t(i)] = uint8_t(0x3F + (random() & 0x80));  // no NaN
        }
        write_all();
    }

    ~File() {
        weft_file_close(reader);
        close(writer);
        unlink(path);
    }

    static int64_t data(int64_t expert) { return TABLE + expert * (DATA + SCALES); }
    static int64_t scales(int64_t expert) { return data(expert) + DATA; }

    void write_all() {
        check(pwrite(writer, bytes.data(), bytes.size(), 0) == ssize_t(bytes.size()), "writing the file");
    }

    std::vector<weft_origin> origins() const {
        std::vector<weft_origin> to;
        for (int64_t e = 0; e < EXPERTS; e++) {
            to.push_back({reader, data(e), reader, scales(e)});
        }
        return to;
    }
};

/** One product of some rows with the experts that `counts` says. */
struct Product {
    std::vector<float> x = std::vector<float>(size_t(ROWS * K)), y = std::vector<float>(size_t(ROWS * N));
    std::vector<int32_t> offsets = std::vector<int32_t>(EXPERTS + 1);
    weft_operand operands[4];
    Memory workspace{1 << 20};

    explicit Product(const std::vector<int> &experts) {
        std::mt19937 random(3);
        for (float &v : x) {
            v = float(int32_t(random() % 2001) - 1000) / 500;
        }
        for (int64_t e = 0; e < EXPERTS; e++) {
            int rows = 0;
            for (int wanted : experts) {
                rows += wanted == e;
            }
            offsets[size_t(e + 1)] = offsets[size_t(e)] + rows;
        }
        const int64_t rows = offsets[EXPERTS];
        operands[0] = operand(x.data(), WEFT_F32, {rows, K});
        operands[1] = operand(nullptr, WEFT_F4_E2M1, {EXPERTS, N, K}, SCALING);
        operands[2] = operand(offsets.data(), WEFT_I32, {EXPERTS + 1});
        operands[3] = operand(y.data(), WEFT_F32, {rows, N});
    }

    int64_t run(weft_pool *pool, int32_t isa, void *data, void *paged) {
        operands[1].data = data;
        operands[1].scale = paged;
        weft_command command = {WEFT_EXPERT_GEMM, nullptr, operands, workspace.bytes};
        return weft_run(pool, isa, &command, 1);
    }
};

struct Counters {
    int64_t words[4];

    explicit Counters(const weft_pager *pager) { weft_pager_counters(pager, words); }
    bool are(int64_t hits, int64_t misses, int64_t evictions) const {
        return words[0] == hits && words[1] == misses && words[3] == evictions &&
               words[2] == misses * (DATA + SCALES);
    }
};

struct Failure {
    int64_t words[4];

    explicit Failure(const weft_pager *pager) { weft_pager_failure(pager, words); }
};

void test_experts(weft_pool *pool, int32_t isa) {
    File file;
    const std::string level = weft_isa_name(isa);
    const weft_operand matrix = operand(nullptr, WEFT_F4_E2M1, {N, K}, SCALING);
    const int64_t bytes = weft_packed_bytes(isa, &matrix);
    Memory packed(EXPERTS * bytes), slots(3 * bytes);
    for (int64_t e = 0; e < EXPERTS; e++) {
        weft_operand m = matrix;
        m.data = file.bytes.data() + File::data(e);
        m.scale = file.bytes.data() + File::scales(e);
        check(weft_pack(isa, &m, packed.bytes + e * bytes) == 0, level + ": pack");
    }
    weft_pager *pager = weft_pager_create(slots.bytes, bytes, 3);
    weft_paged *weight = weft_pager_add(pager, &matrix, 1, EXPERTS, bytes, nullptr, file.origins().data());
    check(weight != nullptr, level + ": add");
    auto same = [&](const std::vector<int> &experts) {
        Product a(experts), b(experts);
        check(a.run(pool, isa, packed.bytes, nullptr) == 0, level + ": packed");
        check(b.run(pool, isa, slots.bytes, weight) == 0, level + ": paged");
        check(std::memcmp(a.y.data(), b.y.data(), a.y.size() * 4) == 0, level + ": same bits");
    };
    same({0, 1, 1});
    check(Counters(pager).are(0, 2, 0), level + ": two experts are read");
    same({1, 2});
    check(Counters(pager).are(1, 3, 0), level + ": one is there, the third slot is filled");
    same({0});
    same({4, 4, 4});
    check(Counters(pager).are(2, 4, 1), level + ": one gives way");
    same({0});
    check(Counters(pager).are(3, 4, 1), level + ": not the one used last");
    same({1, 2});
    check(Counters(pager).are(4, 5, 2), level + ": 1 was the oldest, 2 is still there");
    same({5, 0, 3});
    check(Counters(pager).are(5, 7, 4), level + ": all slots in one command");

    Product many({0, 1, 2, 3});
    check(many.run(pool, isa, slots.bytes, weight) == -1, level + ": more experts than slots");
    check(Failure(pager).words[0] == WEFT_PAGE_NO_SLOT && Failure(pager).words[3] == 3, level + ": says so");
    same({0, 1, 2});

    file.bytes[size_t(File::scales(4) + 77)] = 255;
    file.write_all();
    Product damaged({0, 4});
    check(damaged.run(pool, isa, slots.bytes, weight) == -1, level + ": NaN scale");
    Failure nan(pager);
    check(nan.words[0] == WEFT_PAGE_NAN_SCALE && nan.words[1] == int64_t(reinterpret_cast<intptr_t>(weight)) &&
              nan.words[2] == 4 && nan.words[3] == 77,
          level + ": which scale");
    check(ftruncate(file.writer, File::scales(3) + 5) == 0, "truncate");
    Product shortened({3});
    check(shortened.run(pool, isa, slots.bytes, weight) == -1, level + ": short file");
    check(Failure(pager).words[0] == WEFT_PAGE_SHORT && Failure(pager).words[2] == 3 &&
              Failure(pager).words[3] == File::scales(3) + 5,
          level + ": where it ends");
    file.bytes[size_t(File::scales(4) + 77)] = 120;
    file.write_all();
    same({3});
    check(weft_pager_add(pager, &matrix, 1, EXPERTS, bytes + 64, nullptr, file.origins().data()) == nullptr,
          level + ": a slot that is too small is refused");
    weft_pager_destroy(pager);
}

/** Blocks of a table, at home. */
void test_table(weft_pool *pool, int32_t isa) {
    File file;
    const std::string level = weft_isa_name(isa);
    constexpr int64_t block = 4, blocks = File::TABLE_ROWS / block;
    const weft_operand unit = operand(nullptr, WEFT_BF16, {block, File::WIDTH});
    std::vector<weft_origin> origins;
    for (int64_t b = 0; b < blocks; b++) {
        origins.push_back({file.reader, b * block * File::WIDTH * 2, 0, 0});
    }
    Memory home(File::TABLE);
    std::memset(home.bytes, 0xFF, size_t(File::TABLE));
    weft_pager *pager = weft_pager_create(nullptr, 0, 0);
    weft_paged *table = weft_pager_add(pager, &unit, 0, blocks, block * File::WIDTH * 2, home.bytes, origins.data());
    std::vector<int32_t> ids = {9, 1, 10, -1, 1000, 0};
    std::vector<uint16_t> y(ids.size() * File::WIDTH);
    weft_operand operands[3] = {operand(home.bytes, WEFT_BF16, {File::TABLE_ROWS, File::WIDTH}),
                                operand(ids.data(), WEFT_I32, {int64_t(ids.size())}),
                                operand(y.data(), WEFT_BF16, {int64_t(ids.size()), File::WIDTH})};
    operands[0].scale = table;
    weft_command command = {WEFT_GATHER, nullptr, operands, nullptr};
    check(weft_run(pool, isa, &command, 1) == 0, level + ": gather");
    for (size_t i : {0, 1, 2, 5}) {
        check(std::memcmp(&y[i * File::WIDTH], &file.bytes[size_t(ids[i]) * File::WIDTH * 2], File::WIDTH * 2) == 0,
              level + ": row " + std::to_string(ids[i]));
    }
    int64_t counters[4];
    weft_pager_counters(pager, counters);
    check(counters[1] == 2 && counters[2] == 2 * block * File::WIDTH * 2, level + ": two blocks are read");
    check(home.bytes[4 * File::WIDTH * 2] == 0xFF, level + ": and not the third");
    weft_pager_destroy(pager);
}

}  // namespace

int main() {
    for (int32_t threads : {1, 3}) {
        weft_pool *pool = weft_pool_create(threads);
        for (int32_t isa = 0; isa < weft_isa_count(); isa++) {
            if (weft_isa_usable(isa) == 1) {
                test_experts(pool, isa);
                test_table(pool, isa);
            }
        }
        weft_pool_destroy(pool);
    }
    check(weft_file_open("/nonexistent/weft") < 0, "a file that is not there");
    std::printf("%d failures\n", failures);
    return failures == 0 ? 0 : 1;
}
