// Happens-before: vector clocks, and for every byte range the last writer and the readers since.
//
// Actors are the host (0) and the streams. All host threads count as one actor: the program orders them by means the
// emulator cannot see, and a false alarm would be worse than a missed one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "elements.h"

namespace emu {

using Clock = std::vector<uint64_t>;  // by actor: the last of its steps that is known to be over
constexpr uint32_t host_actor = 0;

inline void join(Clock& into, const Clock& other) {
    if (into.size() < other.size()) {
        into.resize(other.size());
    }
    for (size_t i = 0; i < other.size(); i++) {
        into[i] = std::max(into[i], other[i]);
    }
}

struct Epoch {
    uint32_t actor = 0;
    uint64_t time = 0;  // 0: never

    bool before(const Clock& clock) const {
        return time == 0 || (actor < clock.size() && clock[actor] >= time);
    }
};

/** The next step of an actor whose clock this is. */
inline Epoch tick(Clock& clock, uint32_t actor) {
    if (clock.size() <= actor) {
        clock.resize(actor + 1);
    }
    return {actor, ++clock[actor]};
}

struct Access {
    ByteRange range;
    bool write;
};

class RaceDetector {
  public:
    using Label = std::shared_ptr<const std::string>;

    /** Records the accesses of a step and returns a description of the first conflict with an unordered step, or "". */
    std::string check(const std::vector<Access>& accesses, Epoch step, const Clock& clock, const std::string& label);
    /** Whether every access to the range is over for this clock. */
    bool ordered(ByteRange range, const Clock& clock) const;
    void forget(ByteRange range);
    void clear() { segments_.clear(); }

  private:
    struct Touch {
        Epoch step;
        Label label;
    };
    struct Segment {
        uint64_t end;
        Touch writer;
        std::vector<Touch> readers;
    };
    using Map = std::map<uint64_t, Segment>;

    void split(uint64_t at);
    static const Touch* conflict(const Segment& segment, bool write, const Clock& clock);
    void read(ByteRange range, const Touch& touch);
    void write(ByteRange range, const Touch& touch);

    Map segments_;  // by begin; never overlapping
};

}  // namespace emu
