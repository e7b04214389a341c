// A code_location as people read it.
#pragma once

#include <miniss/core/code_location.hh>

namespace miniss::internal {

// "apps/httpd/main.cc:12", "answer of shard 3", or "" if it is not known. Of a long file name the
// end. Safe in a signal handler.
class location_text {
    char _text[128];

public:
    explicit location_text(code_location where) noexcept;
    const char* c_str() const noexcept { return _text; }
    bool empty() const noexcept { return _text[0] == '\0'; }
};

}  // namespace miniss::internal
