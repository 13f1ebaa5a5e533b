#include "includes.h"

#include <algorithm>
#include <sstream>

namespace weft::nvrtc {

bool Includes::is_active() const {
    return std::none_of(branches_.begin(), branches_.end(), [](Branch b) { return b == Branch::INACTIVE; });
}

bool Includes::read(const std::string &name, const std::string &text) {
    std::istringstream lines(text);
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
        number++;
        size_t at = line.find_first_not_of(" \t");
        if (at == std::string::npos || line[at] != '#') {
            continue;
        }
        std::istringstream words(line.substr(at + 1));
        std::string word, rest;
        words >> word >> rest;
        if (!directive(name, number, word, rest)) {
            return false;
        }
    }
    return true;
}

bool Includes::directive(const std::string &name, int line, const std::string &word, const std::string &rest) {
    if (word == "ifdef" || word == "ifndef") {
        bool holds = (defined_.count(rest) != 0) == (word == "ifdef");
        branches_.push_back(holds ? Branch::ACTIVE : Branch::INACTIVE);
    } else if (word == "if") {
        branches_.push_back(Branch::OPEN);
    } else if (word == "else" && !branches_.empty()) {
        Branch &last = branches_.back();
        last = last == Branch::ACTIVE ? Branch::INACTIVE : last == Branch::INACTIVE ? Branch::ACTIVE : Branch::OPEN;
    } else if (word == "endif" && !branches_.empty()) {
        branches_.pop_back();
    } else if (word == "define" && is_active()) {
        defined_.insert(rest.substr(0, rest.find('(')));
    } else if (word == "include" && is_active()) {
        return include(name, line, rest);
    }
    return true;
}

bool Includes::include(const std::string &name, int line, const std::string &rest) {
    auto header = rest.size() > 2 && rest.front() == '"' ? headers_.find(rest.substr(1, rest.size() - 2)) : headers_.end();
    if (header == headers_.end()) {
        log_ += name + "(" + std::to_string(line) + "): catastrophic error: cannot open source file " + rest + "\n";
        return false;
    }
    return read(header->first, header->second);
}

}  // namespace weft::nvrtc
