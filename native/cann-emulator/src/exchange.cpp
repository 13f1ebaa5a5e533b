// The data of collectives, once all ranks are there.
#include <cstring>

#include "collective.h"
#include "numeric.h"

namespace emu {

namespace {

using Kind = Collective::Kind;

uint8_t* bytes(const void* buffer) {
    return static_cast<uint8_t*>(device_pointer(reinterpret_cast<uint64_t>(buffer)));
}

aclDataType element_type(HcclDataType dtype) {
    switch (dtype) {
        case HCCL_DATA_TYPE_INT8:
            return ACL_INT8;
        case HCCL_DATA_TYPE_INT16:
            return ACL_INT16;
        case HCCL_DATA_TYPE_INT32:
            return ACL_INT32;
        case HCCL_DATA_TYPE_INT64:
            return ACL_INT64;
        case HCCL_DATA_TYPE_FP16:
            return ACL_FLOAT16;
        case HCCL_DATA_TYPE_FP32:
            return ACL_FLOAT;
        case HCCL_DATA_TYPE_BFP16:
            return ACL_BF16;
        default:
            return ACL_DT_UNDEFINED;
    }
}

template <typename T>
T combine(HcclReduceOp op, T a, T b) {
    switch (op) {
        case HCCL_REDUCE_PROD:
            return a * b;
        case HCCL_REDUCE_MAX:
            return std::max(a, b);
        case HCCL_REDUCE_MIN:
            return std::min(a, b);
        default:
            return a + b;
    }
}

/** Elements [from, from + count) of all ranks' send buffers, combined in the order of ranks. */
std::vector<uint8_t> reduce(const Meeting& m, uint64_t from, uint64_t count) {
    const Collective& first = m.arrived.begin()->second;
    aclDataType dtype = element_type(first.dtype);
    std::vector<uint8_t> out(count * static_cast<uint64_t>(hccl_width(first.dtype)));
    for (uint64_t i = 0; i < count; i++) {
        int64_t at = static_cast<int64_t>(from + i);
        bool started = false;
        float real = 0;
        int64_t integer = 0;
        for (const auto& [rank, c] : m.arrived) {
            const uint8_t* send = bytes(c.send);
            if (is_integer(dtype)) {
                int64_t v = decode_integer(dtype, send, at);
                integer = started ? combine(first.reduction, integer, v) : v;
            } else {
                float v = static_cast<float>(decode(dtype, send, at));
                real = started ? combine(first.reduction, real, v) : v;
            }
            started = true;
        }
        if (is_integer(dtype)) {
            encode_integer(dtype, out.data(), static_cast<int64_t>(i), integer);
        } else {
            encode(dtype, out.data(), static_cast<int64_t>(i), real);
        }
    }
    return out;
}

void reduce_all(const Meeting& m, const Collective& any) {
    std::vector<uint8_t> result = reduce(m, 0, any.count);
    for (const auto& [rank, c] : m.arrived) {
        if (any.kind == Kind::all_reduce || rank == c.root) {
            std::memcpy(bytes(c.receive), result.data(), result.size());
        }
    }
}

void reduce_scatter(const Meeting& m, const Collective& any) {
    std::vector<uint8_t> result = reduce(m, 0, any.count * m.arrived.size());
    uint64_t share = any.count * static_cast<uint64_t>(hccl_width(any.dtype));
    for (const auto& [rank, c] : m.arrived) {
        std::memcpy(bytes(c.receive), result.data() + rank * share, share);
    }
}

/** All ranks' shares one after the other, taken before anything is written: buffers may be in place. */
std::vector<uint8_t> gather(const Meeting& m, uint64_t share) {
    std::vector<uint8_t> all;
    for (const auto& [rank, c] : m.arrived) {
        const uint8_t* send = bytes(c.send);
        all.insert(all.end(), send, send + share);
    }
    return all;
}

void all_to_all(const Meeting& m, uint64_t width) {
    std::map<uint32_t, std::vector<uint8_t>> sent;
    for (const auto& [rank, c] : m.arrived) {
        uint64_t end = 0;
        for (size_t i = 0; i < c.send_counts.size(); i++) {
            end = std::max(end, c.send_counts[i] ? (c.send_offsets[i] + c.send_counts[i]) * width : 0);
        }
        if (end > 0) {
            sent[rank].assign(bytes(c.send), bytes(c.send) + end);
        }
    }
    for (const auto& [to, c] : m.arrived) {
        for (const auto& [from, other] : m.arrived) {
            if (uint64_t size = c.receive_counts[from] * width) {
                std::memcpy(bytes(c.receive) + c.receive_offsets[from] * width,
                            sent[from].data() + other.send_offsets[to] * width, size);
            }
        }
    }
}

void move_pair(const Meeting& m, uint64_t size) {
    const Collective *from = nullptr, *to = nullptr;
    for (const auto& [rank, c] : m.arrived) {
        (c.kind == Kind::send ? from : to) = &c;
    }
    std::memcpy(bytes(to->receive), bytes(from->send), size);
}

}  // namespace

void move_data(const Meeting& m) {
    const Collective& any = m.arrived.begin()->second;
    uint64_t width = static_cast<uint64_t>(hccl_width(any.dtype)), share = any.count * width;
    if (any.kind == Kind::barrier || any.kind == Kind::fused || (share == 0 && any.kind != Kind::all_to_all)) {
        return;
    }
    switch (any.kind) {
        case Kind::all_reduce:
        case Kind::reduce:
            return reduce_all(m, any);
        case Kind::reduce_scatter:
            return reduce_scatter(m, any);
        case Kind::all_to_all:
            return all_to_all(m, width);
        case Kind::send:
        case Kind::receive:
            return move_pair(m, share);
        case Kind::all_gather: {
            std::vector<uint8_t> all = gather(m, share);
            for (const auto& [rank, c] : m.arrived) {
                std::memcpy(bytes(c.receive), all.data(), all.size());
            }
            return;
        }
        case Kind::broadcast:
        case Kind::scatter: {
            const uint8_t* root = bytes(m.arrived.at(any.root).send);
            for (const auto& [rank, c] : m.arrived) {
                if (any.kind == Kind::scatter || rank != any.root) {
                    std::memmove(bytes(c.receive), root + (any.kind == Kind::scatter ? rank * share : 0), share);
                }
            }
            return;
        }
        default:
            return;
    }
}

namespace {

bool agree(const Collective& a, const Collective& b) {
    bool pair = (a.kind == Kind::send && b.kind == Kind::receive) || (a.kind == Kind::receive && b.kind == Kind::send);
    return (pair || (a.kind == b.kind && a.root == b.root)) && a.count == b.count && a.dtype == b.dtype &&
           a.reduction == b.reduction && a.what == b.what;
}

}  // namespace

std::string disagreement(const Meeting& m) {
    auto first = m.arrived.begin();
    for (auto it = std::next(first); it != m.arrived.end(); ++it) {
        if (!agree(first->second, it->second)) {
            return "rank " + std::to_string(first->first) + " calls " + describe(first->second) + ", rank " +
                   std::to_string(it->first) + " calls " + describe(it->second);
        }
    }
    if (first->second.kind != Kind::all_to_all) {
        return "";
    }
    for (const auto& [from, a] : m.arrived) {
        for (const auto& [to, b] : m.arrived) {
            if (a.send_counts[to] != b.receive_counts[from]) {
                return "rank " + std::to_string(from) + " sends " + std::to_string(a.send_counts[to]) + " elements to rank " +
                       std::to_string(to) + ", which expects " + std::to_string(b.receive_counts[from]) + " (" + describe(a) +
                       " and " + describe(b) + ")";
            }
        }
    }
    return "";
}

int hccl_width(HcclDataType dtype) {
    switch (dtype) {
        case HCCL_DATA_TYPE_INT8:
        case HCCL_DATA_TYPE_UINT8:
        case HCCL_DATA_TYPE_HIF8:
        case HCCL_DATA_TYPE_FP8E4M3:
        case HCCL_DATA_TYPE_FP8E5M2:
        case HCCL_DATA_TYPE_FP8E8M0:
            return 1;
        case HCCL_DATA_TYPE_INT16:
        case HCCL_DATA_TYPE_UINT16:
        case HCCL_DATA_TYPE_FP16:
        case HCCL_DATA_TYPE_BFP16:
            return 2;
        case HCCL_DATA_TYPE_INT32:
        case HCCL_DATA_TYPE_UINT32:
        case HCCL_DATA_TYPE_FP32:
            return 4;
        case HCCL_DATA_TYPE_INT64:
        case HCCL_DATA_TYPE_UINT64:
        case HCCL_DATA_TYPE_FP64:
            return 8;
        case HCCL_DATA_TYPE_INT128:
            return 16;
        default:
            return 0;
    }
}

bool can_reduce(HcclDataType dtype) {
    return element_type(dtype) != ACL_DT_UNDEFINED;
}

}  // namespace emu
