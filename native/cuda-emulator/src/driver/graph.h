// Capture, and the graphs that come of it. Nodes are kept in the order of capture, which is an order they may run in.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "stream.h"

namespace weft::driver {

enum class NodeType : int { KERNEL = 0, MEMCPY = 1, MEMSET = 2, HOST = 3, EMPTY = 5 };  // as CUgraphNodeType

struct Node {
    NodeType type;
    Work work;
    std::vector<size_t> after;             // indices of nodes
};

/** What graphs keep alive, a CUuserObject: its function is called, on some thread, when the last of them is gone. */
struct UserObject {
    void (*destroy)(void *);
    void *pointer;
    ~UserObject();
};

struct Graph {
    std::vector<Node> nodes;
    std::vector<std::shared_ptr<UserObject>> objects;
};

struct Executable {
    std::shared_ptr<Context> context;
    std::vector<Node> nodes;
    std::vector<std::shared_ptr<UserObject>> objects;
};

enum class CaptureMode : int { GLOBAL = 0, THREAD_LOCAL = 1, RELAXED = 2 };

struct Capture {
    CaptureMode mode;
    std::thread::id thread;
    Stream *origin;
    bool valid = true;
    std::shared_ptr<Graph> graph = std::make_shared<Graph>();
    void *handle = nullptr;                // of the graph, once somebody has asked for it
    std::vector<std::shared_ptr<Stream>> streams;
};

int begin_capture(const std::shared_ptr<Stream> &stream, CaptureMode mode);
/** graph: a handle, null if the capture failed. */
int end_capture(const std::shared_ptr<Stream> &stream, void *&graph);
/** Adds a node for work given to a capturing stream. */
int capture(Stream &stream, Node node);
void record_captured(Stream &stream, Event &event);
/** The stream waits for the event, whose last recording was captured: it joins the capture. */
int wait_captured(const std::shared_ptr<Stream> &stream, const Event &event);
/**
 * Called by functions that a capture forbids to other work of its thread, or of every thread if its mode is global. If
 * there is such a capture it is no longer valid.
 */
int forbid_during_capture();
/** This thread's answer to captures of others, as cuThreadExchangeStreamCaptureMode. */
CaptureMode &thread_capture_mode();

std::shared_ptr<Executable> instantiate(const Graph &graph, const std::shared_ptr<Context> &context);
/** A CUgraphExecUpdateResult: 0 if the graph differs from the executable one in parameters only. */
int update(Executable &executable, const Graph &graph);

}  // namespace weft::driver
