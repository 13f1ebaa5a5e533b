// Follows the includes of a program.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace weft::nvrtc {

/** The preprocessor as far as includes need it: conditions on names, defines of names. Other conditions hold, and do not. */
class Includes {
public:
    explicit Includes(const std::map<std::string, std::string> &headers) : headers_(headers) {}

    /** Reads a text; false, and a line in the log, for an include that is not among the headers. */
    bool read(const std::string &name, const std::string &text);

    const std::string &log() const { return log_; }

private:
    enum class Branch { ACTIVE, INACTIVE, OPEN };

    bool is_active() const;
    bool directive(const std::string &name, int line, const std::string &word, const std::string &rest);
    bool include(const std::string &name, int line, const std::string &rest);

    const std::map<std::string, std::string> &headers_;
    std::set<std::string> defined_{"__CUDACC__", "__CUDACC_RTC__", "__CUDA_ARCH__"};
    std::vector<Branch> branches_;
    std::string log_;
};

}  // namespace weft::nvrtc
