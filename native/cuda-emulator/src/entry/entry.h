// What all functions of the driver do first.
#pragma once

#include <string>

#include "driver/fault.h"
#include "driver/graph.h"
#include "driver/settings.h"
#include "driver/stream.h"
#include "driver/world.h"

#define WEFT_DRIVER extern "C" __attribute__((visibility("default"))) int

using CUdeviceptr = unsigned long long;

namespace weft::driver {

enum Needs : unsigned {
    NOTHING = 0,
    INITIALISED = 1,
    CONTEXT = 2,       // a current context whose work has not failed
    NO_CAPTURE = 4,    // what a capture forbids to its thread
};

struct Entered {
    const char *function;
    Lock lock;
    std::shared_ptr<Context> context;
};

/** 0, or what the function answers without doing anything. */
int enter(Entered &entered, unsigned needs);

template <class Body>
int call(const char *function, unsigned needs, Body body) {
    Entered entered{function, {}, {}};
    int code = enter(entered, needs);
    return code != SUCCESS ? code : body(entered);
}

/** The stream, if it is one of the current context. */
std::shared_ptr<Stream> find_stream(const void *handle, const Entered &entered);
/** A pool, made by the program or that of a device. */
std::shared_ptr<Pool> find_pool(const void *handle, const char *function);
/** Gives work to a stream, or to the capture it takes part in. */
int submit(const void *stream, const Entered &entered, Node node);

}  // namespace weft::driver
