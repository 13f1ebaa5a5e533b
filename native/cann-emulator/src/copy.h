// Copies and fills, synchronous and on streams.
#pragma once

#include <cstddef>
#include <cstdint>

namespace emu {

struct Rows {  // height rows of width bytes
    void* dst;
    const void* src;
    size_t dst_pitch, src_pitch, width, height;
};

int copy(const char* function, const Rows& rows, size_t dst_capacity, int kind);
int copy_async(const char* function, const Rows& rows, size_t dst_capacity, int kind, void* stream);
int fill(void* dst, size_t capacity, int value, size_t count);
int fill_async(void* dst, size_t capacity, int value, size_t count, void* stream);

}  // namespace emu
