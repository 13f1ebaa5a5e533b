// Events. A wait takes the state of the event at the time of the call; recording again makes a new state.
#pragma once

#include <chrono>
#include <memory>

#include "world.h"

namespace emu {

struct EventState {
    bool complete = false;
    std::chrono::steady_clock::time_point when;
    Clock clock;                       // what is over once the event is
    std::shared_ptr<Capture> capture;  // recorded while capturing: only other captured streams may wait for it
    uint64_t number = 0;               // position in its stream, for messages
};

struct Event {
    void* handle = nullptr;
    uint32_t flags = 0;
    bool extended = false;  // made by aclrtCreateEventExWithFlag: no reset, no wait status
    uint32_t id = 0;
    std::shared_ptr<EventState> state;  // nullptr: never recorded
};

int create_event(void** event, uint32_t flags, bool extended, const char* function);
int destroy_event(void* event);
int record_event(void* event, void* stream);
int wait_event(void* stream, void* event, const char* function);
int synchronize_event(void* event, int timeout_ms, const char* function);
int query_event(void* event, bool& complete);
int elapsed(float* ms, void* start, void* end);
int reset_event(void* event, void* stream);

}  // namespace emu
