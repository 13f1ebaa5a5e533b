// Where the arguments of an operator lie: inside live device memory, aligned, with the tail the product reads beyond
// the end, not on top of each other.
#include "executor.h"

namespace emu {

namespace {

struct Placed {
    const Argument* argument;
    size_t member;
    std::vector<ByteRange> ranges;
};

std::string name(const ArgumentSet& set, const Argument& a, size_t member) {
    std::string text = std::string(set.op->name) + ": " + a.parameter->name;
    return a.parameter->kind == Kind::tensors ? text + "[" + std::to_string(member) + "]" : text;
}

int refuse(const char* rule, const std::string& detail) {
    fault(rule, detail);
    return fail(ACLNN_ERR_PARAM_INVALID, detail);
}

uint64_t align_up(uint64_t v, uint64_t to) {
    return (v + to - 1) / to * to;
}

int check_tensor(const std::string& name, const Tensor& t, Soc soc, int device) {
    std::string what = name + " " + describe(t) + " at " + hex(t.address);
    if (!is_device(t.address)) {
        return refuse("address-memory", what + " is not in device memory");
    }
    if (device_of(t.address) != device) {
        return refuse("address-memory", what + " is on device " + std::to_string(device_of(t.address)) +
                                            ", the stream on device " + std::to_string(device));
    }
    if (t.address % 32 != 0) {
        return refuse("address-unaligned", what);
    }
    uint64_t storage = storage_bytes(t), view = view_end_bytes(t);
    const Allocation* a = allocation_of({t.address, t.address + std::max(storage, view)});
    if (a == nullptr) {
        bool starts = allocation_of({t.address, t.address}) != nullptr;
        return refuse(starts ? "tensor-bounds" : "use-after-free",
                      what + (starts ? " leaves its allocation" : " is in no live allocation"));
    }
    if (view > storage) {
        return refuse("view-outside-storage", what + ": the view ends at byte " + std::to_string(view) +
                                                  ", the storage at byte " + std::to_string(storage));
    }
    // runtime docs aclrtMalloc: pieces of a block obey the rounding of whole allocations
    uint64_t tail = soc == Soc::A2 || soc == Soc::A3 ? 32 : 0;
    uint64_t end = t.address + align_up(std::max(storage, view), 32) + tail;
    if (end > a->begin + a->capacity) {
        return refuse("tensor-tail", what + ": with its tail it ends at " + hex(end) + ", the allocation at " +
                                         hex(a->begin + a->capacity));
    }
    return 0;
}

bool intersect(const std::vector<ByteRange>& a, const std::vector<ByteRange>& b) {
    size_t i = 0, j = 0;
    while (i < a.size() && j < b.size()) {
        if (a[i].begin < b[j].end && b[j].begin < a[i].end) {
            return true;
        }
        (a[i].end <= b[j].end ? i : j)++;
    }
    return false;
}

int check_overlap(const ArgumentSet& set, const std::vector<Placed>& placed) {
    if (set.op->inplace) {
        return 0;
    }
    for (size_t i = 0; i < placed.size(); i++) {
        for (size_t j = i + 1; j < placed.size(); j++) {
            const Placed &a = placed[i], &b = placed[j];
            if ((a.argument->written || b.argument->written) && intersect(a.ranges, b.ranges)) {
                return refuse("overlap", name(set, *a.argument, a.member) + " overlaps " + b.argument->parameter->name +
                                             ", and the operator is not documented as in place");
            }
        }
    }
    return 0;
}

int check_workspace(const ArgumentSet& set, const std::vector<Placed>& placed, int device, ByteRange range) {
    std::string what = std::string(set.op->name) + ": workspace " + describe(range);
    if (!is_device(range.begin) || device_of(range.begin) != device || allocation_of(range) == nullptr) {
        return refuse("workspace-memory", what + " is not live memory of the stream's device");
    }
    if (range.begin % 32 != 0) {
        return refuse("address-unaligned", what);
    }
    for (const Placed& p : placed) {
        if (intersect(p.ranges, {range})) {
            return refuse("workspace-overlap", what + " overlaps " + p.argument->parameter->name);
        }
    }
    return 0;
}

}  // namespace

int check_placement(const ArgumentSet& set, int device, void* workspace, uint64_t workspace_size,
                    std::vector<Access>& accesses) {
    std::vector<Placed> placed;
    for (const Argument& a : set.arguments) {
        for (size_t i = 0; i < a.tensors.size(); i++) {
            const Tensor& t = a.tensors[i];
            if (t.numel() == 0) {
                continue;
            }
            if (int code = check_tensor(name(set, a, i), t, set.soc, device)) {
                return code;
            }
            placed.push_back({&a, i, touched(t)});
            for (const ByteRange& range : placed.back().ranges) {
                accesses.push_back({range, a.written});
            }
        }
    }
    if (int code = check_overlap(set, placed)) {
        return code;
    }
    if (workspace == nullptr || workspace_size == 0) {
        return 0;
    }
    uint64_t begin = reinterpret_cast<uint64_t>(workspace);
    ByteRange range{begin, begin + workspace_size};
    accesses.push_back({range, true});
    return check_workspace(set, placed, device, range);
}

}  // namespace emu
