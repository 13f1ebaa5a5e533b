#include "race.h"

#include "device_memory.h"

namespace emu {

namespace {


std::string actor_name(uint32_t actor) {
    return actor == host_actor ? "host" : "stream " + std::to_string(actor);
}

}  // namespace

void RaceDetector::split(uint64_t at) {
    auto next = segments_.upper_bound(at);
    if (next == segments_.begin()) {
        return;
    }
    auto segment = std::prev(next);
    if (segment->first < at && at < segment->second.end) {
        Segment tail = segment->second;
        segment->second.end = at;
        segments_.emplace_hint(next, at, std::move(tail));
    }
}

const RaceDetector::Touch* RaceDetector::conflict(const Segment& segment, bool write, const Clock& clock) {
    if (!segment.writer.step.before(clock)) {
        return &segment.writer;
    }
    if (write) {
        for (const Touch& reader : segment.readers) {
            if (!reader.step.before(clock)) {
                return &reader;
            }
        }
    }
    return nullptr;
}

std::string RaceDetector::check(const std::vector<Access>& accesses, Epoch step, const Clock& clock,
                                const std::string& label) {
    Touch touch{step, std::make_shared<const std::string>(label)};
    std::string found;
    for (const Access& a : accesses) {
        if (a.range.begin >= a.range.end) {
            continue;
        }
        split(a.range.begin);
        split(a.range.end);
        for (auto it = segments_.lower_bound(a.range.begin); it != segments_.end() && it->first < a.range.end; ++it) {
            const Touch* other = conflict(it->second, a.write, clock);
            if (other != nullptr && found.empty() && other->step.actor != step.actor) {
                found = label + " (" + actor_name(step.actor) + ", step " + std::to_string(step.time) + ") " +
                        (a.write ? "writes " : "reads ") + hex(it->first) + ".." + hex(it->second.end) +
                        " and is not ordered after " + *other->label + " (" + actor_name(other->step.actor) +
                            ", step " +
                        std::to_string(other->step.time) + ")";
            }
        }
    }
    // a step may read and write the same bytes: the write stays as the stronger mark
    for (const Access& a : accesses) {
        if (!a.write) {
            read(a.range, touch);
        }
    }
    for (const Access& a : accesses) {
        if (a.write) {
            write(a.range, touch);
        }
    }
    return found;
}

void RaceDetector::read(ByteRange range, const Touch& touch) {
    uint64_t at = range.begin;
    auto it = segments_.lower_bound(range.begin);
    while (at < range.end) {
        if (it == segments_.end() || it->first > at) {
            uint64_t end = it == segments_.end() ? range.end : std::min(range.end, it->first);
            it = segments_.emplace_hint(it, at, Segment{end, {}, {}});
        }
        std::vector<Touch>& readers = it->second.readers;
        auto mine = std::find_if(readers.begin(), readers.end(),
                                 [&](const Touch& r) { return r.step.actor == touch.step.actor; });
        if (mine == readers.end()) {
            readers.push_back(touch);
        } else {
            *mine = touch;
        }
        at = it->second.end;
        ++it;
    }
}

void RaceDetector::write(ByteRange range, const Touch& touch) {
    forget(range);
    if (range.begin < range.end) {
        segments_.emplace(range.begin, Segment{range.end, touch, {}});
    }
}

bool RaceDetector::ordered(ByteRange range, const Clock& clock) const {
    auto it = segments_.upper_bound(range.begin);
    if (it != segments_.begin()) {
        --it;
    }
    for (; it != segments_.end() && it->first < range.end; ++it) {
        if (it->second.end > range.begin && conflict(it->second, true, clock) != nullptr) {
            return false;
        }
    }
    return true;
}

void RaceDetector::forget(ByteRange range) {
    if (range.begin >= range.end) {
        return;
    }
    split(range.begin);
    split(range.end);
    segments_.erase(segments_.lower_bound(range.begin), segments_.lower_bound(range.end));
}

}  // namespace emu
